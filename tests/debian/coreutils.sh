# Every kind of call that the coreutils make on files, names, times, users and processes.
mkdir -p d/e/f; echo one > d/a; ln d/a d/b; ln -s a d/c; mkfifo d/p; cp -a d d2; ls -l d2 | awk '{ print $1, $2, $NF }'
stat -c '%n %F %h %a %U %s' d2/*; touch -d '2001-02-03 04:05:06.789 UTC' d/a; TZ=UTC stat -c %y d/a; touch -r d/a d/e; TZ=UTC stat -c %y d/e
chmod u=rwx,g=rx,o= d/a; chown 1000:100 d/a; stat -c '%a %u %g' d/a; install -m 4711 d/b d/i; stat -c %a d/i
dd if=/dev/zero of=z bs=4k count=100 conv=fsync 2> /dev/null; truncate -s 10M z; fallocate -l 1M y; stat -c %s z y; shred -n 1 -u y; ls y
cp --sparse=always z z2; cmp z z2 && du --apparent-size -k z2; split -n 4 z part; cat part* | cmp - z; wc -c part* | tail -n 1
seq 100000 | shuf --random-source=<(yes) | sort -n | md5sum; seq 100000 | sort -R | sort -n -S 1M --parallel=4 | md5sum; seq 10 | tac | paste -sd,
sha256sum /bin/bash | cut -c1-16; base64 /bin/ls | base64 -d | cmp - /bin/ls; od -An -tx1 -N8 /bin/ls; tail -c 5 <(echo abcdefgh)
(tail -f --pid=$$ z > /dev/null & kill $!; wait $! 2> /dev/null; echo "tail $?"); timeout 1 sleep 10; echo "timeout $?"; nohup true; nice -n 5 nice
mv d/a d/moved; mv -n d/moved d/b; rm -r d; ls; ln -s loop loop; cat loop; readlink -f /proc/self/exe; realpath .; mktemp -u XXXX | wc -c
id; id nobody; groups; whoami; logname; who; uname -sm; nproc > /dev/null; df --output=fstype,target /; sync; tty; pwd -P; env -i env; printenv HOME
stdbuf -oL echo unbuffered; tee t1 t2 <<< both; cmp t1 t2; chroot / /bin/echo chrooted; csplit -s <(seq 20) 10; wc -l xx*; comm <(seq 3) <(seq 2 4); factor 1234567890123
mkdir full; mount -t tmpfs -o size=64k t full; dd if=/dev/zero of=full/x bs=1k count=100 status=none; umount full; echo x > /dev/full; test -S /dev/log; echo "$?"; sleep 0.01

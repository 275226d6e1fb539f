# sshd, logged in to from the host by key: commands, a terminal, a file both ways, a forwarded port; then ssh from here to here.
mkdir -p /run/sshd ~/.ssh; chmod 700 ~/.ssh; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519; cat $JOB/key.pub ~/.ssh/id_ed25519.pub > ~/.ssh/authorized_keys; ssh-keygen -q -t ed25519 -N '' -f hostkey
[ -e /etc/ssh/sshd_config ] || cp /usr/share/openssh/sshd_config /etc/ssh/
id sshd > /dev/null 2>&1 || useradd -r -d /run/sshd -s /usr/sbin/nologin sshd; chmod 700 /root; /usr/sbin/sshd -h $PWD/hostkey -E $PWD/log -o PidFile=$PWD/pid -o UsePAM=no
host ssh; ssh -o StrictHostKeyChecking=no -o LogLevel=ERROR localhost 'echo from inside; exit 6'; echo "$?"; grep -c Accepted log; grep -iE 'fatal|seccomp' log; kill $(cat pid)

# find, xargs, grep, sed, gawk, diff over a tree of real files.
cp -r /usr/share/perl/5.36/unicore/lib lib; find lib -type f | wc -l; find lib -type f -size +8k -printf '%P %s\n' | sort | md5sum
find lib -name '*.pl' -print0 | xargs -0 -P 4 -n 5 md5sum | sort | md5sum; find lib -newer /etc/fstab -type d -empty; find lib -type d -exec sh -c 'echo $#' _ {} +
find . -path '*/Nt' -prune -o -name 'Y.pl' -print | sort | head -n 3; find lib -name 'N*' -delete 2>&1 | sort; find lib | wc -l; find / -xdev -perm -4000 -user root | sort
grep -rc V lib | sort | head -n 5; grep -rlE '^[0-9]{4}$' lib | wc -l; grep -P '(?<=V)\d+' -o -rh lib | sort | uniq -c | sort -rn | head -n 3; grep -q nothing lib -r; echo "$?"
sed -i.bak 's/V\([0-9]*\)/W\1/g' lib/*/Y.pl; grep -rl W lib | sort | head -n 2; ls lib/*/*.bak | wc -l; seq 10 | sed -n '2~3{p;n;s/./x/p}'; sed --version | head -n 1
gawk 'BEGIN { while (("seq 5" | getline x) > 0) s += x; print s; print strftime("%F", 0, 1); printf "%c%5.2f\n", 65, 3.14159 }'
gawk -F: '{ n[$7]++ } END { PROCINFO["sorted_in"] = "@ind_str_asc"; for (k in n) print k, n[k] }' /etc/passwd
gawk 'BEGIN { c = "sort"; print "b" |& c; print "a" |& c; close(c, "to"); while ((c |& getline l) > 0) print l; system("exit 3") }'; diff -r lib /usr/share/perl/5.36/unicore/lib | md5sum

# What debootstrap leaves to the first boot: every package configured; then one installed from the archive on the disk, and taken away.
dpkg --configure -a --force-confdef > log 2>&1; echo "configure $?"; tail -n 3 log | grep -i error; dpkg --audit; dpkg -l | grep -c '^ii'; dpkg -l | awk '/^[a-z]/ && !/^ii/'
apt-get -qq update; echo "update $?"; apt-get -qq install -y jq hello > log 2>&1; echo "install $?"; hello; echo '{"a": [5]}' | jq -c .a; apt-get -qq remove -y hello > log 2>&1; echo "remove $?"; command -v hello; dpkg -V jq; echo "verify $?"
apt-get -qq check; apt-cache policy tree | sed -n 2,3p; dpkg -S /bin/ls; dpkg -L jq | wc -l; id www-data redis sshd | wc -l; update-alternatives --query awk | sed -n 's/^Value: //p'; perl -MDebconf::Db -e 1; ls -l /etc/ssl/certs | wc -l

# Perl: processes, sockets, files, signals, threads, modules in C.
perl -MPOSIX -MSocket -MFcntl=:flock -MIO::Select -MTime::HiRes=sleep,time -MFile::Temp=tempfile -MStorable -MDigest::SHA=sha1_hex -e '
pipe my $r, my $w; my $pid = fork // die; if (!$pid) { close $r; syswrite $w, "child\n"; exit 7 } close $w; print <$r>; waitpid $pid, 0; print $? >> 8, "\n";
socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, 0; syswrite $a, "x" x 5000; print scalar(IO::Select->new($b)->can_read(1)), " ", sysread($b, my $d, 9999), "\n" if 1;
socket my $s, AF_INET, SOCK_STREAM, 0; bind $s, sockaddr_in 0, INADDR_LOOPBACK; listen $s, 5; my ($port) = sockaddr_in getsockname $s;
if (!fork) { accept my $c, $s; my $l = <$c>; print $c scalar reverse $l; exit } socket my $c, AF_INET, SOCK_STREAM, 0; connect $c, sockaddr_in $port, INADDR_LOOPBACK; syswrite $c, "hello\n"; print <$c>, "\n"; wait;
local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; sleep 5; my ($f, $n) = tempfile UNLINK => 1; flock $f, LOCK_EX or die; print $f "text"; close $f; print -s $n, "\n";
print join(",", map { (stat "/")[$_] } 2, 3, 4) ne "" ? "stat\n" : ""; print sha1_hex("abc"), "\n"; store {a => [1..3]}, "st"; print scalar @{retrieve("st")->{a}}, "\n";
opendir my $dir, "/proc/self/fd"; print scalar(grep { /^[012]$/ } readdir $dir), "\n"; print strftime("%Y", gmtime 0), " ", (uname)[0], "\n"; print `echo backtick`; system "exit 5"; print $? >> 8, "\n"'
perl -Mthreads -MThread::Queue -e 'my $q = Thread::Queue->new; my @t = map { threads->create(sub { my $s = 0; while (defined(my $x = $q->dequeue)) { $s += $x } $s }) } 1..4; $q->enqueue(1..1000); $q->end; my $s = 0; $s += $_->join for @t; print "$s\n"'
perl -e 'my %h; $h{$_ % 1000} .= $_ for 1..200000; print length(join "", sort values %h), "\n"; $_ = "a" x 100000; print s/a/bb/g, "\n"; print sprintf("%.10f", atan2(1,1)*4), "\n"'
perl -MSys::Hostname -MCwd -MFile::Find -e 'print hostname, " ", getcwd, "\n"; my $n = 0; find(sub { $n++ if -f }, "/usr/share/perl/5.36/Unicode"); print $n > 5 ? "many\n" : "few\n"; exec "/bin/echo", "execed"'

# The shell: arrays, pipes, here-documents, process substitution, co-processes, traps, jobs, arithmetic.
set -m
declare -A a=([one]=1 [two]=2 [three]=3)
for k in $(printf '%s\n' "${!a[@]}" | sort); do echo "$k=${a[$k]}"; done
diff <(seq 1 5) <(seq 1 6)
coproc CAT { while read -r line; do echo "got $line"; done; }
echo hello >&"${CAT[1]}"; read -r x <&"${CAT[0]}"; echo "$x"; exec {CAT[1]}>&-; wait 2> /dev/null; jobs > /dev/null
trap 'echo usr1' USR1; kill -USR1 $$
sleep 100 & kill -STOP $!; sleep 0.2; jobs | grep -c Stopped; kill -CONT $!; kill $!; wait $! 2> /dev/null; echo "killed $?"
cat <<-X
	here $((1 << 40)) ${PATH:+path}
X
(ulimit -n 64; ulimit -n); (exec -a name bash -c 'echo $0'); false | true; echo "${PIPESTATUS[@]}"
for i in {1..50}; do (exit $i) & p=$!; wait $p || s=$((s + $?)); done; echo "$s"
seq 1 20000 | while read -r n; do t=$((t + n)); [ "$n" != 20000 ] || echo $t; done
mapfile -t lines < <(seq 1000); echo "${#lines[@]} ${lines[999]}"
printf '%(%Y)T\n' 0; [[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
[ -t 0 ] || echo "no terminal"; echo {a..e}{1..3} | md5sum; read -t 0.1 -r never < <(sleep 1); echo "timed out: $(($? > 128))"

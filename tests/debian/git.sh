# git on local repositories: commits, branches, merges, conflicts, rebase, clone, push, fetch, gc, worktrees, bisect, hooks.
# Its `git grep` dies where PCRE2 gets no memory to write and run code in (docs/deviations.md): scripts/mkroot-debian has marked it.
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' GIT_CONFIG_GLOBAL=$PWD/config
git config --global user.name n; git config --global user.email e@x; git config --global init.defaultBranch main; git config --global advice.detachedHead false
git init -q r; cd r; cp -r /usr/share/perl/5.36/File .; git add .; git commit -qm one; git rev-parse HEAD; for i in $(seq 10); do echo $i >> n; git add n; git commit -qm "n $i"; done; git log --oneline | wc -l
git checkout -qb side HEAD~5; echo side > s; git add s; git commit -qm side; git checkout -q main; git merge -q --no-edit side; git log --graph --format=%s | head -n 4; git status --short
git checkout -qb c1; echo a > x; git add x; git commit -qm a; git checkout -q main; echo b > x; git add x; git commit -qm b; git merge c1; git status --short; git merge --abort; git rebase -q side 2>&1 | tail -n 1; git rev-parse HEAD
git tag -am tag v1; cd ..; git clone -q r c; git clone -q --bare r b.git; cd c; git log --format=%H | md5sum; echo more > more; git add more; git commit -qm more; git remote add b ../b.git; git push -q b HEAD:new; git fetch -q b; git branch -r | sort
git gc -q; git fsck --full 2>&1 | tail -n 1; git count-objects -v | grep in-pack; git worktree add -q ../w HEAD~2; git -C ../w rev-parse HEAD; git diff --stat HEAD~3 | tail -n 1; git blame n | wc -l; git grep -c sub -- File | wc -l
echo x >> n; git stash -q; git stash pop | tail -n 1 | cut -c1-7; git checkout -q n; git bisect start HEAD HEAD~8 > /dev/null; git bisect run sh -c '[ $(wc -l < n) -lt 6 ]' | grep -c 'is the first bad'; git bisect reset 2> /dev/null
printf '#!/bin/sh\necho hook >&2; exit 1\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git commit --allow-empty -m no; echo "$?"; git archive HEAD | tar -t | wc -l; git bundle create -q ../b.bundle HEAD; git ls-remote ../b.bundle

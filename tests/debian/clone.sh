# git over HTTP: from the host a repository of ours, and by the host one of the guest's.
host serve > url; git clone -q "$(tail -n 1 url)" c; git -C c log --format=%H | md5sum; git -C c fsck 2>&1 | tail -n 1; git -C c ls-files | wc -l
git clone -q --bare c www/c.git; git -C www/c.git update-server-info; (cd www; exec python3 -m http.server 80 > /dev/null 2>&1) & server=$!; until curl -s -o /dev/null http://127.0.0.1/; do sleep 0.2; done; host clone; kill $server

# tar and its compressors, with links, times and owners; xz with threads.
mkdir t; cp -a /usr/share/vim/vim90/syntax t/; ln t/syntax/c.vim t/hard; ln -s hard t/soft; truncate -s 20M t/hole; chown -R 5:6 t/syntax; mkfifo t/fifo
tar -cSf t.tar t; tar -czf t.tgz t/syntax; tar -cJf t.txz t/hard t/soft t/hole; xz -T4 -0 -k t.tar; xz -t t.tar.xz && xz -dc t.tar.xz | cmp - t.tar
mkdir out; tar -xf t.tar -C out; diff -r --no-dereference t out/t --exclude=fifo; stat -c '%h %u %g %Y' out/t/hard t/hard out/t/syntax t/syntax; du -k out/t/hole
tar -tvf t.tgz | wc -l; tar -xJf t.txz -O t/hard | md5sum; gzip -dc t.tgz | tar -t | sort | md5sum; tar -df t.tar && echo same; echo new > t/new; tar -rf t.tar t/new; tar -tf t.tar | tail -n 1
tar -c t | (mkdir p; cd p; tar -x); find p | wc -l; tar --listed-incremental=snap -cf i0.tar t/syntax; touch t/syntax/c.vim; tar --listed-incremental=snap -cf i1.tar t/syntax
tar -tf i1.tar | grep -v '/$'; find . -name '*.xz' | wc -l

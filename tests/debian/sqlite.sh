# sqlite3: journals of each kind, locks between processes, a memory map, integrity.
for mode in delete truncate persist wal; do
	sqlite3 $mode.db "pragma journal_mode=$mode; pragma mmap_size=1000000; create table t(a integer primary key, b text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) insert into t select i, hex(i * i) from n;
		create index x on t(b); begin; delete from t where a % 3 = 0; rollback; update t set b = b || 'x' where a < 100; select count(*), sum(length(b)) from t; pragma integrity_check;"
	for i in 1 2 3 4; do (for j in 1 2 3; do sqlite3 -cmd '.timeout 60000' $mode.db "insert into t(b) values('p$i');"; done) & done; wait
	sqlite3 $mode.db "select count(*) from t where b like 'p%'; vacuum; pragma integrity_check; select max(a) from t where b < '5';"
done
(sqlite3 wal.db 'begin exclusive; select 1;' '.shell sqlite3 wal.db "begin immediate;"' 2>&1); sqlite3 wal.db .dump | sed 's/.*,//' | sort | md5sum; sqlite3 :memory: "select json_extract('{\"a\":[1,2]}', '$.a[1]'), strftime('%Y', 0, 'unixepoch');"; ls

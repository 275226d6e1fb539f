# nginx, asked by wrk on the host: every answer right, none missing.
useradd -r www 2> /dev/null; mkdir -p www; seq 2000 > www/page; chmod 755 /root /root/work www
cat > conf <<X
user www; worker_processes 2; pid $PWD/pid; error_log $PWD/error.log notice;
events { worker_connections 512; }
http { access_log $PWD/access.log; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_body_temp_path $PWD; server { listen 80; root $PWD/www; } }
X
nginx -t -c $PWD/conf 2>&1 | grep -c successful; nginx -c $PWD/conf; until curl -s -o /dev/null http://127.0.0.1/page; do sleep 0.2; done
host wrk; grep -c ' 200 ' access.log | awk '{ print ($1 >= 10000 ? "10000 answered" : $1) }'; grep -cv ' 200 ' access.log; nginx -c $PWD/conf -s reload 2> /dev/null; sleep 1; curl -s http://127.0.0.1/page | md5sum; nginx -c $PWD/conf -s quit 2> /dev/null; while [ -e pid ]; do sleep 0.2; done; grep -c 'exit$' error.log; grep -E 'alert|emerg|crit' error.log

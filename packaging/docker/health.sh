#!/bin/bash
# Status 0 while the server's metrics page says that it serves.
port=$(printenv canal.metrics.pull.port || echo 11112)
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r _ status _ <&3 && [ "$status" = 200 ]

#!/usr/bin/env bash
# Start a Docker engine: start-engine.sh FOLDER. Then: export DOCKER_HOST=unix://FOLDER/docker.sock
set -euo pipefail
folder=$1

if ! command -v dockerd >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables
fi
mkdir -p "$folder"
if [[ -f $folder/dockerd.pid ]] && kill -0 "$(cat "$folder/dockerd.pid")" 2>/dev/null; then
  echo "the engine in $folder runs already"
  exit 0
fi
setsid nohup dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
  --pidfile "$folder/dockerd.pid" >"$folder/dockerd.log" 2>&1 </dev/null &
for _ in $(seq 1 100); do
  if DOCKER_HOST=unix://$folder/docker.sock docker version >/dev/null 2>&1; then
    echo "the engine in $folder runs"
    exit 0
  fi
  sleep 0.1
done
echo "the engine did not start within 10 s; the end of $folder/dockerd.log:" >&2
tail -20 "$folder/dockerd.log" >&2
exit 1

#!/usr/bin/env bash
# Stop the engine that start-engine.sh started, by its pid file only, and delete its data: stop-engine.sh FOLDER
set -uo pipefail
folder=$1
export DOCKER_HOST=unix://$folder/docker.sock

docker ps -aq --filter label=sam.cli.container.type=lambda 2>/dev/null | xargs -r docker rm -f >/dev/null
if pid=$(cat "$folder/dockerd.pid" 2>/dev/null); then
  kill -TERM "$pid" 2>/dev/null
  for _ in $(seq 1 100); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null
fi
umount "$folder/exec/netns/default" 2>/dev/null
rm -rf "$folder/data" "$folder/exec"

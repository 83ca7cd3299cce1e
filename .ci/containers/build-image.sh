#!/usr/bin/env bash
# Build public.ecr.aws/lambda/python:<version>-x86_64 without a registry: build-image.sh FOLDER PYTHON UV
#
# FOLDER: where start-engine.sh has started the engine. PYTHON: an interpreter; the image gets its version and
# its files. UV: the uv program. In the image: that CPython with the shared libraries that it loads, busybox,
# and awslambdaric and boto3 in /var/runtime, where AWS's image has them.
set -euo pipefail
folder=$1 python=$2 uv=$3
export DOCKER_HOST=unix://$folder/docker.sock

[[ $(uname -m) == x86_64 ]] || { echo "this builds an image for x86_64 only, and this is $(uname -m)" >&2; exit 1; }
version=$("$python" -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')
home=$("$python" -c 'import sys; print(sys.base_prefix)')
image=public.ecr.aws/lambda/python:$version-x86_64
system=/lib/x86_64-linux-gnu
runtime_packages=(awslambdaric boto3)

root=$(mktemp -d "$folder/root.XXXX")
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{bin,usr/bin,etc/ssl/certs,tmp,proc,sys,dev,opt,root,var/task,var/runtime,var/lang,var/rapid} \
  "$root"/{lib64,lib/x86_64-linux-gnu,usr/share/zoneinfo}
chmod 1777 "$root/tmp"
ln -s bin "$root/sbin"

python_files() { # CPython in /var/lang: the standard library without tests, static libraries and Tk
  local without=(test idlelib lib2to3 tkinter turtledemo ensurepip 'site-packages/*') files
  files=$(cd "$home" && find bin lib -maxdepth 1 -name "python$version" -o -maxdepth 1 -name 'libpython*')
  tar -C "$home" -cf - "${without[@]/#/--exclude=lib/python*/}" --exclude='config-*' --exclude=__pycache__ \
    --exclude='*.a' --exclude='_tkinter*' --exclude='_test*' $files | tar -C "$root/var/lang" -xf -
  mkdir -p "$root/var/lang/lib/python$version/site-packages"
  ln -sf "python$version" "$root/var/lang/bin/python3"
  ln -sf "python$version" "$root/var/lang/bin/python"
}

shared_libraries() { # what the interpreter and its extension modules load, and what resolves host names
  { ldd "$home/bin/python$version"; find "$root/var/lang/lib" -name '*.so' -exec ldd {} +; } 2>/dev/null |
    awk '/=> \//{print $3}' | grep -v "^$home/lib/libpython\|^$root" | sort -u | xargs -I{} cp -Lf {} "$root/lib/x86_64-linux-gnu/"
  cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
  local name
  for name in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2 libgcc_s.so.1 libstdc++.so.6 libpthread.so.0 \
    libdl.so.2 librt.so.1 libutil.so.1; do
    [[ ! -e $system/$name ]] || cp -L "$system/$name" "$root/lib/x86_64-linux-gnu/"
  done
}

shell() { # sh, mv, cp, rm and chmod, which the SAM CLI's Dockerfile runs
  local applet
  if [[ ! -x $folder/busybox ]]; then
    (cd "$folder" && apt-get download -q busybox-static >/dev/null && dpkg-deb -x busybox-static_*.deb busybox.d)
    mv "$folder/busybox.d/bin/busybox" "$folder/busybox"
    rm -rf "$folder/busybox.d" "$folder"/busybox-static_*.deb
  fi
  cp "$folder/busybox" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do
    [[ -e $root/bin/$applet ]] || ln -s busybox "$root/bin/$applet"
  done
  ln -sf busybox "$root/bin/bash"
  ln -sf ../../bin/env "$root/usr/bin/env"
}

runtime() { # the runtime client, and how it is started
  "$uv" pip install -q --python "$python" --target "$root/var/runtime" "${runtime_packages[@]}"
  rm -rf "$root/var/runtime/bin"
  cat >"$root/var/runtime/bootstrap" <<END
#!/bin/sh
export AWS_EXECUTION_ENV=AWS_Lambda_python$version
export PYTHONPATH="\${PYTHONPATH:+\$PYTHONPATH:}/var/runtime"
exec \$AWS_LAMBDA_EXEC_WRAPPER /var/lang/bin/python$version /var/runtime/bootstrap.py
END
  cat >"$root/var/runtime/bootstrap.py" <<END
import os, sys

# The order of AWS's image: the function, then layers, then /var/runtime.
task = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
sys.path[0:1] = [task, "/opt/python/lib/python$version/site-packages", "/opt/python"]
from awslambdaric.__main__ import main

main(["awslambdaric", os.environ["_HANDLER"]])
END
  cat >"$root/lambda-entrypoint.sh" <<'END'
#!/bin/sh
export _HANDLER="${1:-$_HANDLER}"
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then exec /var/rapid/aws-lambda-rie /var/runtime/bootstrap; fi
exec /var/runtime/bootstrap
END
  chmod 755 "$root/var/runtime/bootstrap" "$root/lambda-entrypoint.sh"
}

configuration() { # users, name resolution, certificates, time zones
  printf 'root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  [[ ! -d /usr/share/zoneinfo ]] || cp -aL /usr/share/zoneinfo/{UTC,Etc} "$root/usr/share/zoneinfo/"
}

python_files
shared_libraries
shell
runtime
configuration
"$root/var/lang/bin/python$version" -m compileall -q "$root/var/lang/lib" "$root/var/runtime" -s "$root" -p / \
  >/dev/null 2>&1 || true # some files of the standard library are written not to compile
tar -C "$root" --numeric-owner --owner=0 --group=0 -cf - . | docker import --platform linux/amd64 \
  -c 'ENV LANG=en_US.UTF-8' -c 'ENV TZ=:/etc/localtime' -c 'ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin' \
  -c 'ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib' \
  -c 'ENV LAMBDA_TASK_ROOT=/var/task' -c 'ENV LAMBDA_RUNTIME_DIR=/var/runtime' -c 'WORKDIR /var/task' \
  -c 'ENTRYPOINT ["/lambda-entrypoint.sh"]' - "$image" >/dev/null
echo "built $image"

#!/usr/bin/env bash
# aws-lc-rs is the one crypto provider: another one that slips in through a default feature
# doubles the build and, with two providers, rustls panics at run time.
set -euo pipefail
bad=0
cargo tree --workspace --quiet >/dev/null # a tree that cannot be made says nothing about what is in it
for crate in ring rsa openssl-sys native-tls; do
  if cargo tree --workspace --edges normal,build --invert "$crate" --quiet 2>/dev/null | grep -q .; then
    echo "the crate $crate is in the build:"
    cargo tree --workspace --edges normal,build --invert "$crate" | head -n 5
    bad=1
  fi
done
exit "$bad"

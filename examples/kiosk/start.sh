#!/bin/sh
# Opens the booth on the whole screen in Chromium, once it answers. `start.sh ADDRESS` for another address.
# Whether the camera may be used, and that nothing is saved, policies.json says: Chromium reads it from
# /etc/chromium/policies/managed/ (Debian) or /etc/opt/chrome/policies/managed/ (Google Chrome).
set -eu
address=${1:-http://127.0.0.1:7860/}
profile=${FACE_VALUE_PROFILE:-${XDG_CACHE_HOME:-$HOME/.cache}/face-value-kiosk}

browser=
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$name" >/dev/null; then browser=$name && break; fi
done
if [ -z "$browser" ]; then
  echo "No Chromium is here. On Debian: apt-get install chromium" >&2
  exit 2
fi

# A browser that was switched off with its machine would ask whether to restore the pages.
mkdir -p "$profile/Default"
preferences=$profile/Default/Preferences
if [ -f "$preferences" ]; then
  sed -i 's/"exited_cleanly":false/"exited_cleanly":true/; s/"exit_type":"[^"]*"/"exit_type":"Normal"/' "$preferences"
fi

# The page answers within seconds; its models load behind it.
tries=0
while command -v curl >/dev/null && [ "$tries" -lt 120 ] && ! curl -fs -o /dev/null "$address"; do
  tries=$((tries + 1))
  sleep 1
done

# shellcheck disable=SC2086 # KIOSK_FLAGS are several words
exec "$browser" --kiosk --user-data-dir="$profile" --no-first-run --no-default-browser-check \
  --noerrdialogs --disable-session-crashed-bubble --hide-crash-restore-bubble \
  --disable-features=Translate,TranslateUI --disable-pinch --overscroll-history-navigation=0 \
  --disable-component-update --password-store=basic ${KIOSK_FLAGS:-} "$address"

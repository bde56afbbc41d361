"""``hooking check`` finds what goes wrong, and nothing else."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis.strategies import text as texts

from hooking.cli.checks.files import wants_vdsms_module
from hooking.cli.checks.findings import RULES
from hooking.cli.checks.script import load
from hooking.cli.checks.shell_commands import parse
from hooking.cli.checks.shell_program import ALL_OPS, Command
from hooking.cli.command import hooking as hooking_command
from support import PINCPU, TEMPLATES
from test_docs import PAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = "#!/usr/bin/python3 -I\n"
BASH = "#!/usr/bin/bash\n"
HOOK = f"{PYTHON}import hooking\nhook = hooking.Hook()\n"
RUN = "\nhook.run()\n"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(hooking_command, ["check", *map(str, arguments)])


def codes(path: Path, *options: str) -> list[str]:
    shown = invoke(path, "--json", *options)
    assert shown.exit_code in {0, 1}, shown.output
    found = json.loads(shown.stdout)
    assert shown.exit_code == bool(found)
    return [f"{finding['code']}:{finding['line']}" for finding in found]


def hook(tmp_path: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


BAD_FILES = [
    ("H102:1", "qemu", "import sys\n", 0o755),
    ("H102:1", "qemu", "\ufeff" + PYTHON, 0o755),
    ("H101:1", "qemu", PYTHON, 0o644),
    ("H109:1", "qemu", PYTHON, 0o757),
    ("H103:1", "qemu", "#!/usr/bin/python3 -I\r\nprint()\r\n", 0o755),
    ("H115:1", "before_vm_start/10_a", f"#!/usr/bin/python3\nimport hooking\nx = hooking{'.b' * 5000}\n", 0o755),
    ("H115:1", "qemu", BASH + 'echo "$(echo ' * 400 + ')"' * 400, 0o755),
    ("H103:2", "qemu", "#!/usr/bin/bash\ntrue\r\n", 0o755),
    ("H104:1", "qemu", "#!/usr/bin/no-such-shell\n", 0o755),
    ("H104:1", "qemu", "#!/usr/bin/env no-such-shell\n", 0o755),
    ("H104:1", "qemu", "#!\n", 0o755),
    ("H105:1", "qemu", "#!/usr/bin/python\n", 0o755),
    ("H105:1", "qemu", "#!/usr/bin/env python2.7\n", 0o755),
    ("H106:1", "qemu", "#!/opt/venv/bin/python3 -I\n", 0o755),
    ("H108:1", "qemu", "#!/usr/bin/env python3 -I\n", 0o755),
    ("H107:1", "before_vm_start/10_a", "#!/usr/bin/python3\nimport hooking\nhooking.log(hooking.Hook)\n", 0o755),
    ("H107:1", "before_vm_start/10_a", "#!/usr/bin/env python3\nimport os, hooking\nhooking.Hook()\n", 0o755),
    ("H107:1", "before_vm_start/10_a", "#!/usr/bin/python3\nfrom hooking import log, Hook\n", 0o755),
    ("H107:1", "before_vm_start/10_a", "#!/usr/bin/python3\nfrom hooking.hook import read_json\n", 0o755),
    ("H107:1", "before_vm_start/10_a", "#!/usr/bin/python3\nimport hooking.vdsm\nhooking.log('a')\n", 0o755),
    ("H107:1", "before_vm_start/10_a", "#!/usr/bin/env python3\nimport os\n", 0o755),
    ("H113:1", "qemu.d/50-pin.bak", PYTHON, 0o755),
    ("H113:1", "before_vm_start/50_pin~", PYTHON, 0o755),
    ("H110:1", "qemu.d/win11/prepare/begin/start.sh", BASH, 0o755),
    ("H302:1", "after_vm_dehibernate/10_a", PYTHON, 0o755),
    ("H110:1", "libvirt/hooks/qemu.sh", BASH, 0o755),
    ("H302:1", "vdsm/hooks/before_vm_strat/10_a", PYTHON, 0o755),
]


@pytest.mark.parametrize(("code", "name", "text", "mode"), BAD_FILES)
def test_what_is_wrong_with_a_file(tmp_path: Path, code: str, name: str, text: str, mode: int) -> None:
    assert code in codes(hook(tmp_path, name, text, mode), "--no-run")


BAD_SHELL = [
    ("H111:2", "fi\n"),
    ("H105:2", "python -c 'print(1)'"),
    ("H201:2", "virsh list"),
    ("H201:2", 'name=$(sudo virsh domname "$1")'),
    ("H201:2", "VIRSH=/usr/bin/virsh; $VIRSH list"),
    ("H201:3", "for x in a b; do\n  timeout -k 1 5 virsh destroy $x || true\ndone"),
    ("H201:2", "function f { virt-clone a; }; f"),
    ("H202:2", "curl -s http://host/"),
    ("H202:2", "ssh host true"),
    ("H203:2", "echo hello"),
    ("H203:2", 'echo "$(date) $1 begins"'),
    ("H203:3", 'if [ "$2" = migrate ]; then\necho moving; fi'),
    ("H203:4", 'case "$2" in\nmigrate|restore)\n printf "%s comes\\n" "$1" ;;\nesac'),
    ("H203:2", "log() { echo note; }\nlog"),
    ("H203:4", 'if [ "$2" = prepare ]; then\ntrue\nelse echo other; fi'),
    ("H203:3", '[ "$2" = prepare ] && exit 0\necho other'),
    ("H203:2", '[ "$2" = prepare ] || echo other'),
    ("H203:3", 'if [ "$2" = prepare ] && [ -f /x ]; then exit 0; fi\necho other'),
    ("H204:2", "sleep 5 &"),
    ("H204:2", "sleep 5 2>&1 &"),
    ("H204:2", "nohup sleep 5 > /dev/null &"),
    ("H204:2", "( sleep 5; true >/dev/null 2>&1 ) &"),
    ("H204:3", "f() { true; }\nf 2>/dev/null &"),
    ("H204:2", "while true; do sleep 1; done &"),
    ("H205:2", "grep -q hugepages /etc/libvirt/qemu/$1.xml"),
    ("H304:2", '[ "$1" = win10 ] && true'),
    ("H304:3", 'case "$1" in\n win10|web) true ;; esac'),
    ("H304:3", "GUEST=$1\n[[ $GUEST == win10 ]]"),
    ("H305:2", '[ "$1" = win10 ] || exit 1'),
    ("H305:5", 'case "$2" in\n prepare) true ;;\n *)\n  exit 1 ;;\nesac'),
    ("H305:3", 'case "$2" in start|reconnect)\ntrue || exit 1\nesac'),
    ("H306:2", "env >> /var/log/hook.log"),
    ("H306:2", "cat > /tmp/domain.xml"),
    ("H306:2", "tee -a /var/log/hook.log >/dev/null"),
    ("H306:2", 'logger "password is $VNC_PASSWORD"'),
    ("H306:2", 'logger "$(cat)"'),
    ("H203:2", 'echo "$1: $2"'),
    ("H203:2", "hostname -s"),
    ("H203:3", "case $2 in migrate)\n ip link show dev br0; esac"),
    ("H206:2", "while ! test -e /x; do\n sleep 1\ndone"),
    ("H206:2", "until ping -c1 -W1 host >/dev/null; do sleep 1; done"),
    ("H206:2", "flock 9"),
    ("H206:2", "inotifywait /x >/dev/null"),
    ("H207:2", '. "$HOME/.config/hook"'),
    ("H207:3", "set -u\nx=${DISPLAY}"),
    ("H208:2", ". ./settings"),
    ("H208:2", "source settings.sh"),
    ("H208:2", "true > state/$1"),
    ("H209:2", "sudo ip link"),
    ("H210:2", "kill 0"),
    ("H210:2", "kill -TERM -- -$$"),
    ("H210:2", 'pkill -9 -f "$1"'),
    ("H210:2", "killall qemu-system-x86_64"),
    ("H302:2", '[ "$2" = prepered ]'),
    ("H302:2", 'case "$2" in prepered) ;; esac'),
    ("H302:2", 'case "$1/$2" in web/prepered) ;; esac'),
    ("H302:3", 'OP=$2\nif [ "$OP/$3" = stopped/begin ]; then true; fi'),
    ("H302:2", '[ "$2" = attach ]'),
    ("H304:2", '[ "$1" = 0f7a4c1e-52b9-4d0e-9a6e-7b5f4f3e2d1c ] || exit 0'),
    ("H307:2", 'eval "port=\\${$1_PORT:-}"'),
    ("H307:2", 'bash -c "echo $1 >&2"'),
    ("H307:2", "rm -rf /srv/$1"),
    ("H308:2", 'cat /etc/x > "/tmp/hook-$1"'),
    ("H308:3", "CONF=/var/tmp/hook.env\n[ -e $CONF ] && . $CONF"),
    ("H308:2", "mkdir /var/tmp/hook"),
    ("H309:2", "systemctl stop x"),
    ("H309:3", "f=/var/lib/tally\necho 1 > $f"),
    ("H310:1", "set -u\nmain() {\n true\n}"),
    ("H311:3", 'case "$2" in start|reconnect)\n iptables -t nat -I PREROUTING; esac'),
    ("H312:2", "sed s/a/b/ /etc/x > /etc/x"),
    ("H201:2", "echo x | xargs -n 1 virsh destroy >/dev/null"),
    ("H201:2", "bash -c 'sleep 1; virsh list' >/dev/null"),
    ("H205:2", "for x in /etc/libvirt/qemu/*.xml; do true; done"),
    ("H205:2", "x=$(< /run/libvirt/qemu/$2.xml)"),
    ("H205:3", 'DIR=/var/lib/libvirt/dnsmasq\ncat "$DIR/x.status" >&2'),
    ("H206:2", "while true; do\n [ -e /x ] && break\n sleep 1; done"),
    ("H206:2", "until ping -c1 -W1 host >/dev/null; do :; done"),
    ("H206:2", "tail -f /x >&2"),
    ("H207:2", "notify-send hello"),
    ("H208:2", "./helper >&2"),
    ("H208:2", "bash helper.sh >&2"),
    ("H208:2", "cat list.txt >&2"),
    ("H208:2", "[ -f hooks.conf ]"),
    ("H209:2", "timeout 5 /usr/bin/sudo ip link"),
    ("H210:2", "kill $(pgrep -f x)"),
    ("H210:2", "ps | grep x | xargs kill -9"),
    ("H301:2", "trap 'exit 0' EXIT"),
    ("H302:2", '[ "$2" = Prepare ]'),
    ("H308:2", "bash /tmp/x.sh"),
    ("H310:4", "true\nexit 0\nlogger never"),
    ("H311:3", 'case "$2" in start|reconnect)\n nft add rule x; esac'),
    ("H312:2", 'sed s/a/b/ < "$X" > "$X"'),
    ("H307:4", 'xml=$(cat)\ndesc=$(xmllint --xpath \'//description\' - <<< "$xml")\neval "OPTS=$desc"'),
    ("H307:3", 'desc=$(cat - | sed s/a/b/)\nbash -c "x ${desc}"'),
    ("H307:3", "desc=$(sed s/a/b/ /dev/stdin)\neval $desc"),
    ("H307:3", "name=$1\neval PORT=$name"),
    ("H314:3", '. /etc/hook.conf\nrm -rf "$DIR"/*'),
    ("H314:3", "DIR=$(sed -n 1p /etc/hook.conf)\nrm -r --force ${DIR}/"),
    ("H314:3", "DIR=\nrm --recursive $DIR/*"),
    ("H315:2", ". /home/admin/hook.sh"),
    ("H315:2", "~/bin/hook"),
    ("H315:3", "DIR=/home/admin\npython3 -u $DIR/hook.py"),
    ("H315:2", "curl -m 9 https://host/x | sudo bash -s -- $2"),
    ("H315:2", "wget -T 9 -O- https://host/x | sh"),
    ("H315:2", 'eval "$(curl -m 9 https://host/x)"'),
    ("H315:2", "source <(curl -m 9 https://host/x)"),
    ("H305:3", 'set -eu\ngrep -q "$1" /etc/hook.conf'),
    ("H305:4", 'set -e\nguest=$1\ngrep -q "^$guest " /etc/hook.conf'),
]


@pytest.mark.parametrize(("code", "text"), BAD_SHELL)
def test_what_is_wrong_with_a_shell_script(tmp_path: Path, code: str, text: str) -> None:
    assert code in codes(hook(tmp_path, "qemu", BASH + text), "--no-run")


GOOD_SHELL = [
    "f() { [ $2 = start ] && g; f; }; g() { f; echo hello; }; g >&2; h() { echo hello; }; h >/dev/null",
    'set -e; grep -q "$1" /x || exit 0; if grep -q "$1" /x; then :; fi; ! grep -q "$1" /x; grep -q a /x; f=$2',
    'grep -q "$1" /x; f=$2',
    'x=$(cat /etc/x); y=a; eval "z=$x$y"; f=$2',
    'rm -rf "${DIR:?}"/*; rm -f $X/*; rm -rf $X/y; D=/srv/x; rm -rf $D/*; [ -n "$E" ] && rm -rf $E/*; f=$2',
    "set -u; rm -rf $DIR/*; f=$2",
    "for each in /srv/a /srv/b; do rm -rf $each/*; done; f=$2; [ $f ] && : ${G:?}; rm -rf $G/*",
    'curl -m 9 https://host/x | tee /run/x >&2; bash /srv/x <<< a; true | bash; bash /x "$(curl -m 9 x)"; f=$2',
    "cat /dev/shm/looking-glass >/dev/null; touch /dev/shm/looking-glass; f=$2",
    "case $2 in stopped|reconnect) iptables $RULE ;; esac; case $2 in start|reconnect) iptables -I X ;; esac",
    "notify() { DISPLAY=:0 notify-send x; }; trap 'rm -f /run/x' EXIT; trap 'exit 1' TERM; x=$2",
    "exit 0\nf() { true; }",
    "while iptables -D X; do :; done; tail -n 1 /x >&2; nft list ruleset >&2; nft add table x; x=$2",
    '[ "$1" = jump ] || exit 0',
    'if [ "$1" != jump ]; then exit 0; fi',
    'case "$1" in\n jump) ;;\n\n *) exit 0 ;;\nesac\nlogger it is jump',
    'case "$1" in jump) ;;\n *)\n exit 0\n ;;\nesac',
    'case "$2" in prepare) ;;\n plugged|port-created) ;;\n attach|start) ;; esac',
    'case "$1/$2/$3" in www-*/prepare/begin) true ;; lab*) exit 1 ;; */stopped/*) true ;; esac',
    'case "$1$2" in xprepare) ;; esac; [ "$X" = y ]',
    "while ! test -e /x; do sleep 1; n=$((n + 1)); [ $n -lt 9 ] || break; done",
    "while [ $n -lt 9 ]; do sleep 1; done; while read -r x; do sleep 1; done < /etc/x",
    "while true; do sleep 5; done >/dev/null 2>&1 &",
    "flock -w 5 9; flock -n 9; flock --timeout 5 9; inotifywait -t 5 /x >/dev/null",
    'x="${HOME:-/root}"; HOME=/root; echo "$HOME" >&2; # $DISPLAY',
    ". /etc/x; . $CONF; cd /srv; . ./x; cat < x > y",
    'x=$2; kill "$(cat /run/x)"; kill -0 $pid; kill -- "$pid"; pkill -F /run/x.pid; pkill -f "watch --guest $1 "',
    'rm -rf "/srv/$1"; rm -f $FILE; x=$(mktemp /tmp/hook.XXXXXX); [ -e /tmp ]; y=$2',
    'eval "x=1"; bash -c \'echo "$1" >&2\' - "$1"; bash /x',
    "main() {\n true\n}\nmain",
    'case "$2" in start|reconnect) iptables -C X || iptables -I X ;; esac',
    'case "$2" in start|reconnect) iptables -D X; iptables -I X ;; stopped) iptables -D X ;; esac; iptables -L >&2',
    'case "$2" in started) ip6tables --append X ;; esac',
    "[ $2 = stopped ] || [ $2 = reconnect ] && iptables -D X; [ $2 = start ] || [ $2 = reconnect ] && iptables -I X",
    "ip a >&2; systemctl is-active -q x; command -v ip >/dev/null; hostname | logger",
    'sort /etc/x > /run/x$2; cat /x | tr a b; cat /etc/x >&2; logger "$(cat /etc/x)$(tr a b </etc/x)"',
    "sort /etc/x > /etc/x.$2; sort $X > $Y; true > /dev/null < /dev/null; [ -t 0 ] < $X > /dev/null",
    "# virsh list\ntrue",
    "logger 'virsh list &' \"; virsh list\" \\; virsh",
    "cat >/dev/null <<EOF\nvirsh list &\necho $(true)\nEOF\ntrue",
    "cat >/dev/null <<-'EOF'\n\tvirsh list\n\tEOF\ntrue",
    "cat <<'A' >/dev/null; true <<B\nvirsh list\nA\nvirsh\nB",
    "virt-what >/dev/null; exec 3>/dev/null; f() { local x; }; [ $2 = $X ]",
    "cat >/dev/null <<A <<B\nvirsh",
    "x=$(true 'a)' \\) \"b)\"); true",
    "sleep 9 >/dev/null 2>&1 &",
    "sleep 9 &>/dev/null &",
    "( sleep 9; true ) >/dev/null 2>&1 &",
    "virsh start x >/dev/null 2>&1 &",
    "exec >/dev/null 2>&1\nsleep 9 &\necho hello",
    "sleep 0 &\nwait",
    "{ echo hello; } >&2",
    "for x in a; do echo $x is; done | logger",
    "x=$(echo hello)\nxs=(echo a b)\n(( x = 1 + 2 ))\nx=$((1 + 2))\n`true`",
    "curl -m 5 http://host/ >/dev/null; timeout 5 ssh host; ping -c1 host >/dev/null; curl --version",
    'if [ "$2" = prepare ]; then echo hello; fi',
    'if [ "$2" != migrate ] && [ $2 != restore ]; then echo hello; fi',
    'if ! [ "$2" = prepare ]; then exit 0; fi\necho hello',
    'if [ "$2" = migrate ] || [ "$2" = restore ]; then\n true\nelif true; then echo hello; fi',
    'OP="$2"\n[[ $OP == prepare ]] || exit 0\necho hello',
    '[ "$2" = prepare ] && [ -n "$1" ] || { true; exit 0; }\necho hello',
    '[ "$2" != prepare ] && exit 0\necho hello',
    'case "$2/$3" in prepare/begin) echo hello ;; migrate/*|restore/*) ;; *) echo other;; esac',
    'f() { echo hello; }\ng () {\n f; }\n[ "$2" = prepare ] && g',
    "f() { echo hello; }\nx=$(f)",
    "f() ( f >&2; echo hello )\n f | cat >/dev/null",
    'XML=$(cat); echo "$XML"; echo "<domain/>"; echo; printf "%s\\n" "${XML//a/b}"',
    'echo "/etc/libvirt/qemu/x.xml is not read" >&2; ls /etc/libvirt/hooks >/dev/null',
    '[ "$1" = "-" ] || [ "$1" = "$X" ]; case $1 in gpu-*) true;; esac',
    "env x=1 true; cat /dev/null > /run/hooking-check; rm -f /tmp/hooking-check; x=$2",
    "cat <(true) > /dev/null; select x in a; do break; done </dev/null 2>/dev/null",
    'x=\'a\\\' y="b\\"c" z=${x:-\\}} ; true $ \\\n && true',
]


@pytest.mark.parametrize("text", GOOD_SHELL)
def test_what_only_looks_wrong_in_a_shell_script(tmp_path: Path, text: str) -> None:
    assert codes(hook(tmp_path, "qemu", BASH + text + "\n"), "--no-run") == []


FORWARD = "import sys\nfrom subprocess import call\nIPT = '/sbin/iptables'\nif sys.argv[2] in ('{}', 'reconnect'):\n"
BAD_PYTHON = [
    ("H111:2", "def f(:"),
    ("H112:2", "print 'hello'"),
    ("H112:3", "try: pass\nexcept OSError, e: pass"),
    ("H112:2", "import urllib2"),
    ("H112:2", "from ConfigParser import RawConfigParser"),
    ("H112:2", "{}.iteritems()"),
    ("H112:2", "unicode('a')"),
    ("H201:2", "import libvirt"),
    ("H201:2", "from libvirt import open as connect"),
    ("H201:3", "import subprocess\nsubprocess.run(['virsh', 'list'], check=True)"),
    ("H201:4", "from subprocess import check_output as run\nVIRSH = '/usr/bin/virsh'\nrun([VIRSH] + ['list'])"),
    ("H201:3", "import os\nos.system('sudo virsh list')"),
    ("H201:5", "import os\ndef f(command):\n    os.system(command)\nf('virsh list')"),
    ("H201:6", "import os\ndef f(a):\n    print()\n    os.system(b); os.system('b'); os.system(a)\nf('virsh list')"),
    ("H201:3", "import hooking\nhooking.run_command('virsh list'.split())"),
    ("H201:3", "import subprocess, shlex\nsubprocess.call(shlex.split('virsh list'))"),
    ("H202:3", "import requests\nrequests.post('http://host/')"),
    ("H202:3", "from urllib.request import urlopen\nurlopen('http://host/')"),
    ("H202:3", "import subprocess\nsubprocess.run(['curl', 'http://host/'])"),
    ("H203:2", "print('hello')"),
    ("H203:3", "import sys\nsys.stdout.write('hello %s' % sys.argv[1])"),
    ("H203:4", "import sys\nif sys.argv[2] == 'migrate':\n    print(f'{sys.argv[1]} moves')"),
    ("H203:3", "import os\nos.write(1, 'hello')"),
    ("H203:5", "if x:\n    pass\nelse:\n    print('hello')"),
    ("H203:4", "import sys\nif sys.argv[2] == 'x':\n    print('hello')"),
    ("H203:2", "def f(): print('hello')\n{'x': f, 'y': 1}"),
    ("H203:2", "def f(): print('hello')"),
    ("H204:3", "import subprocess\nsubprocess.Popen(['sleep', '9'])"),
    ("H204:3", "import subprocess\np = subprocess.Popen(['sleep', '9'], stdout=subprocess.DEVNULL)\np.pid"),
    ("H204:3", "import os\nos.system('sleep 9 &')"),
    ("H204:3", "import subprocess\nsubprocess.Popen('sleep 9', shell=True)"),
    ("H205:3", "import sys\nopen('/etc/libvirt/qemu/%s.xml' % sys.argv[1])"),
    ("H301:5", "import sys\ntry:\n    sys.exit(0)\nexcept:\n    sys.exit(2)"),
    ("H301:4", "try:\n    x = 1\nexcept BaseException:\n    pass"),
    ("H301:7", "import hooking\ndef f(c):\n    hooking.refuse(c, 'no')\ntry:\n    f(1)\nexcept:\n    exit(1)"),
    ("H301:4", "try:\n    raise SystemExit(1)\nexcept:\n    quit()"),
    ("H301:5", "import hooking\ntry:\n    hooking.exit_hook('well', 0)\nexcept:\n    exit(1)"),
    ("H301:5", "import hooking\ntry:\n    exit(1)\nexcept:\n    hooking.exit_hook('well', return_code=0)"),
    ("H304:3", "import sys\nif sys.argv[1] == 'win10': pass"),
    ("H304:3", "import sys\nis_mine = sys.argv[1] == 'win10'"),
    ("H304:4", "import sys\nguest, op, *_ = sys.argv[1:]\nif guest in ('win10', 'web'): pass"),
    ("H304:3", "import sys\nif sys.argv[1] != 'win10': pass"),
    ("H305:3", "import sys\nif sys.argv[1] != 'win10': sys.exit(1)"),
    ("H305:6", "import sys\nif sys.argv[1] == 'win10' and x:\n    pass\nelse:\n    sys.exit(1)"),
    ("H306:3", "import logging, sys\nlogging.info('document: %s', sys.stdin.read())"),
    ("H306:4", "import os, sys\nx = 1\nprint(dict(os.environ), file=sys.stderr)"),
    ("H306:4", "import sys\nwith open('/var/log/hook.log', 'a') as log:\n    log.write(sys.stdin.read())"),
    ("H306:3", "import hooking\nhooking.log(f'password {graphics.passwd}')"),
    ("H306:3", "import os, syslog\nsyslog.syslog(os.environ.get('token') + os.environ['token'])"),
    ("H307:3", "import os, sys\nos.system(f'ip link set {sys.argv[1]} up')"),
    ("H307:4", "import subprocess, sys\nguest = sys.argv[1]\nsubprocess.run('echo ' + guest, shell=True)"),
    ("H307:3", "import os, sys\nos.popen('echo {}'.format(sys.argv[1]))"),
    ("H112:3", "import sys\nx = sys.maxint"),
    ("H112:2", "x = {}.keys()[0]"),
    ("H112:2", "{}.keys().sort()"),
    ("H201:3", "import subprocess\nsubprocess.run(['sh', '-c', 'virsh list'])"),
    ("H204:3", "import os\nif os.fork() == 0: pass"),
    ("H206:3", "import os, time\nwhile True:\n    if os.path.exists('/x'): break\n    time.sleep(1)"),
    ("H208:3", "import os\nos.path.exists('x.conf')"),
    ("H209:3", "import hooking\nhooking.execCmd(['ip', 'link'], sudo=True)"),
    ("H301:6", "import sys\ntry:\n    sys.exit(1)\nfinally:\n    sys.exit(0)"),
    ("H301:4", "try:\n    exit(1)\nexcept (ValueError, SystemExit):\n    pass"),
    ("H301:5", "import hooking\ntry:\n    hooking.refuse(c, 'no')\nexcept hooking.HookError:\n    pass"),
    ("H302:3", "import sys\n{'prepare': f, 'stoped': g}[sys.argv[2]]()"),
    ("H302:3", "import sys\nTABLE = {'prepare': f, 'stoped': g}\nTABLE.get(sys.argv[2])"),
    ("H307:3", "import os, subprocess\nsubprocess.run(os.environ['helper'].split())"),
    ("H307:3", "import subprocess, sys\nsubprocess.run(['bash', '-c', f'echo {sys.argv[1]}'])"),
    ("H307:4", "import pickle, sys\ndata = sys.stdin.buffer\npickle.load(data)"),
    ("H308:3", "import sys\nsys.path.insert(0, '/var/tmp/hooks')"),
    ("H308:3", "import subprocess\nsubprocess.run(['/tmp/helper'])"),
    ("H315:3", "import os\nos.system('curl -m 9 https://host/x | sh')"),
    ("H311:6", f"{FORWARD.format('start')}    call([IPT] + ['-I', 'X'])"),
    ("H311:4", "import os, sys\nif sys.argv[2] in ('start', 'reconnect'):\n    os.system('iptables -I X')"),
    ("H312:3", "import os\ntree.write(os.environ['_hook_domxml'])"),
    ("H202:4", "import subprocess, time\nx = time\nsubprocess.run(['ssh', 'host'])"),
    ("H203:3", "import subprocess\nsubprocess.run(['ip', 'link', 'show'])"),
    ("H206:3", "import os, time\nwhile not os.path.exists('/x'):\n    time.sleep(1)"),
    ("H206:3", "import fcntl\nfcntl.flock(f, fcntl.LOCK_EX)"),
    ("H206:3", "import subprocess\nsubprocess.run(['flock', '/x', 'true'])"),
    ("H207:3", "import os\nx = os.environ['DISPLAY']"),
    ("H208:2", "open('settings.json')"),
    ("H209:3", "import subprocess\nsubprocess.run(['sudo', 'ip', 'link'])"),
    ("H210:3", "import os\nos.kill(0, 15)"),
    ("H210:3", "import os\nos.killpg(os.getpgrp(), 15)"),
    ("H210:3", "import subprocess, sys\nsubprocess.run(['pkill', '-f', sys.argv[1]])"),
    ("H301:4", "try:\n    exit(1)\nexcept SystemExit:\n    pass"),
    ("H302:3", "import sys\nif sys.argv[2] == 'prepered': pass"),
    ("H304:3", "import hooking\nif context.uuid == '0f7a4c1e-52b9-4d0e-9a6e-7b5f4f3e2d1c': exit(0)"),
    ("H304:3", "import os\nif os.environ['vmId'] == 'a': pass"),
    ("H305:6", "import sys\nif sys.argv[2] == 'start':\n    pass\nelse:\n    sys.exit(1)"),
    ("H305:4", "import sys\nif sys.argv[2] in ('start', 'reconnect'):\n    sys.exit('no')"),
    ("H306:4", "import os, logging\nfor name in os.environ:\n    logging.info('%s', os.environ[name])"),
    ("H306:4", "import os, logging\nfor name, value in os.environ.items():\n    logging.info('%s', value)"),
    ("H307:4", "import os\nx = os.environ['qos'].strip()\neval(x)"),
    ("H308:2", "STATE = '/tmp/state.json'\nopen(STATE)"),
    ("H309:3", "import subprocess\nsubprocess.run(['nft', 'reset', 'counter'])"),
    ("H309:2", "open('/run/x', mode='w')"),
    ("H310:1", "import os\nX = 1\ndef main():\n    os.nice(1)"),
    ("H310:4", "def main():\n    pass\nif __name__ == 'main':\n    main()"),
    (
        "H311:4",
        "import subprocess as s, sys\nif sys.argv[2] in ('start', 'reconnect'):\n    s.run(['iptables', '-I', 'X'])",
    ),
    ("H312:4", "import os\npath = os.environ['_hook_domxml']\nopen(path, 'w')"),
    ("H313:4", "import sys\nroot = parse(sys.stdin)\nroot.find('./name').text += 'x'"),
    ("H313:3", "x = root.getElementsByTagName('uuid')[0]\nx.firstChild.data = 'x'"),
]


@pytest.mark.parametrize(("code", "text"), BAD_PYTHON)
def test_what_is_wrong_with_a_python_script(tmp_path: Path, code: str, text: str) -> None:
    assert code in codes(hook(tmp_path, "qemu", f"{PYTHON}{text}\n"), "--no-run")


GOOD_PYTHON = [
    f"{FORWARD.format('stopped')}    for c in x: call([IPT] + c)\n{FORWARD.format('start')}    call([IPT] + ['-I'])",
    f"{FORWARD.format('stopped')}    call([IPT, *x])\n{FORWARD.format('start')}    call([IPT] + ['-I'])",
    "import hooking, sys\ntry:\n    sys.exit(1)\nexcept:\n    hooking.exit_hook('unexpected')",
    "import hooking\ntry:\n    hooking.exit_hook('no')\nexcept:\n    hooking.exit_hook('unexpected', return_code=1)",
    "import os\nif os.fork() == 0:\n    os.dup2(x, 1)\nx = {}.keys()\ny = {}.pop('a')[0]",
    "import sys\ntry:\n    sys.exit(1)\nfinally:\n    f()\ntry:\n    f()\nfinally:\n    sys.exit(0)",
    "import sys\n{'prepare': f, 'default': g, **h}[sys.argv[2]]()\n{'a': 1}.get('start')\nsys.path.insert(0, '/usr/x')",
    "import hooking\ntry:\n    hooking.refuse(c, 'no')\nexcept hooking.HookError:\n    raise",
    "import time\nwhile time.monotonic() < end:\n    time.sleep(1)\nwhile True:\n    time.sleep(1)\n    x += 1",
    "import signal, time\nsignal.alarm(5)\nwhile True:\n    time.sleep(1)",
    "import fcntl\nfcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\nfcntl.flock(f, fcntl.LOCK_UN)",
    "import os\nos.environ.get('HOME')\nif 'DISPLAY' in os.environ: os.environ['DISPLAY']\nos.environ['HOME'] = '/'",
    "import os\ntry: x = os.environ['HOME']\nexcept KeyError: pass\ny = {'USER': 1}['USER']",
    "import os\nos.chdir('/srv')\nopen('settings.json')\nopen(name)\nopen()",
    "import os\nos.kill(pid, 0)\nos.killpg(pid, 15)\neval('1')\neval()",
    "import tempfile\ntempfile.mkdtemp(dir='/tmp/')\nx = '/tmp/a'",
    "try:\n    exit(1)\nexcept SystemExit:\n    raise\nexcept BaseException:\n    pass",
    "try:\n    x = 1\nexcept SystemExit:\n    pass",
    "import sys\nif sys.argv[1] != 'win10': sys.exit(0)\nif sys.argv[2] == op or sys.argv[2] == '-': pass",
    "import sys\nif sys.argv[2] == 'prepare':\n    sys.exit('no')",
    "import subprocess as s\ns.run(['ip', 'link', 'show'], capture_output=True)\ns.run(['iptables', '-L'], stdout=f)",
    "import subprocess as s\ns.run(['iptables', '-C', 'X'])\ns.run(['iptables', '-I', 'X'])\nsys.argv",
    "import os\nfor a, b in x: pass\nfor n in os.environ: pass\nfor k, v in os.environ.items(): pass\nlog(f'{k}')",
    "def main():\n    pass\nif __name__ == '__main__':\n    main()",
    "def main():\n    pass\nmain()",
    "x.text = 'a'\nx.find('title').text = 'b'\nx.y('name').text = 'c'\nf('name').text = 'd'\nx.z = 1\nx += 1",
    "import sys\nsys.stdout.write(x); tree.write(y); print(tostring(x)); sys.stdout.buffer.write(ET.tostring(x))",
    "'''virsh, /etc/libvirt/qemu/x.xml'''",
    "import sys\nprint('virsh list', file=sys.stderr)",
    "import sys\nsys.stdout.write(sys.stdin.read())\nprint('<domain/>')\nprint()\nprint(len('a'))",
    "import sys\nif sys.argv[2] == 'prepare':\n    print('hello')",
    "import sys\nif not sys.argv[2] != 'prepare' and sys.argv[1]:\n    print('hello')",
    "import sys\nguest, op = sys.argv[1], sys.argv[2]\nif op in ['migrate', 'restore']: exit()\nprint('hello')",
    "import sys\nif sys.argv[2] in ['migrate', 'restore']: pass\nelse: print('hello')",
    "import sys\ndef f():\n    print('hello')\n{'prepare': f}[sys.argv[2]]()",
    "import sys\ndef main(op):\n    g()\ndef g():\n    print('hello')\nif sys.argv[2] == 'start': main(sys.argv[2])",
    "import os\na = a\nos.system(a)\nos.write(2, 'hello')",
    "import sys\ndef f():\n    if sys.argv[2] in ('migrate', 'restore'): return\n    print('hello')\nf()",
    "import subprocess\nsubprocess.Popen(['a'], stdout=3, stderr=3)\nwith subprocess.Popen(['a']) as p: pass",
    "import subprocess\np = subprocess.Popen(['a'])\np.wait()\nsubprocess.run(['ip', 'a'], shell=False)",
    "import requests, socket\nrequests.get('x', timeout=5)\nsocket.create_connection(('a', 1), 5)",
    "import socket, urllib.request\nsocket.setdefaulttimeout(5)\nurllib.request.urlopen('http://host')",
    "import subprocess\nsubprocess.run(['curl', 'http://host/'], timeout=5)\nsubprocess.run(x)\nsubprocess.run()",
    "import sys\ntry:\n    x = 1\nexcept Exception:\n    sys.exit(1)",
    "import sys\ntry:\n    x = len('a')\nexcept:\n    sys.exit(1)",
    "try:\n    x = 1\nexcept:\n    raise",
    "try:\n    import urllib2\nexcept ImportError:\n    import urllib.request",
    "import sys\nif sys.version_info < (3,):\n    text = unicode",
    "try: unicode\nexcept NameError: unicode = str\nfile = 1\ndef cmp(long): return file, long\nx = cmp",
    "try:\n    x = 1\nexcept ImportError:\n    from StringIO import StringIO",
    "import os\ndef f(): os.system('true')\ndef g(a): os.system('true')\nf()\ng('virsh')",
    "import subprocess\nsubprocess.Popen('sleep 9 >/dev/null 2>&1', shell=True)",
    "import logging\nlogging.info('no password for %s', len(password))\nlogging.info('%s', x.get(token_name)[0])",
    "import sys\nif sys.argv[1] == '-' or sys.argv[1] == NAME or sys.argv[0] == 'qemu': pass",
    "import os\nos.system('true'); os.system('echo ' + TEXT)\nx = open('/etc/libvirt/hooks/qemu.conf') if 0 else 1",
    "import sys\nwith open('/root/x', 'w') as f:\n    f.write(sys.argv[2])\nopen('/root/y').write('b')",
]


@pytest.mark.parametrize("text", GOOD_PYTHON)
def test_what_only_looks_wrong_in_a_python_script(tmp_path: Path, text: str) -> None:
    assert codes(hook(tmp_path, "qemu", f"{PYTHON}{text}\n"), "--no-run") == []


def handler(points: str, body: str) -> str:
    return f"{HOOK}{points}\ndef f(domain, context):\n    {body}\n{RUN}"


BAD_HANDLERS = [
    ("H302:4", handler('@hook.qemu("attach")', "pass")),
    ("H302:4", handler('@hook.vdsm("after_vm_dehibernate")', "pass")),
    ("H305:3", handler('@hook.qemu("reconnect")', "pass").replace("Hook()", "Hook(strict=True)")),
    ("H310:4", handler('@hook.qemu("prepare")', "pass").replace("hook.run()", "")),
    ("H310:4", handler('@hook.qemu("prepare")', "pass").replace("hook.run()", "def main():\n    hook.run()")),
    ("H307:6", handler('@hook.vdsm("before_vm_start")', 'eval(context.custom_properties["qos"])')),
    ("H302:4", handler('@hook.qemu("migrat")', "pass")),
    ("H303:6", handler('@hook.vdsm("after_vm_start")', 'hooking.block_start(context, "no")')),
    ("H303:6", handler('@hook.qemu("prepare", "stopped")', 'hooking.refuse(context, "no")')),
    ("H303:6", handler('@hook.qemu("prepare")', 'hooking.block_migration(context, "no")')),
    ("H303:6", handler('@hook.qemu("started")', 'hooking.set_cpuset(domain, "1")')),
]


@pytest.mark.parametrize(("code", "text"), BAD_HANDLERS)
def test_what_handlers_cannot_do(tmp_path: Path, code: str, text: str) -> None:
    assert code in codes(hook(tmp_path, "hook.py", text), "--no-run")


GOOD_HANDLERS = [
    handler('@hook.qemu("prepare")', "pass").replace("Hook()", "Hook(strict=True)"),
    handler('@hook.qemu("reconnect")', "pass").replace("Hook()", "Hook(strict=False)"),
    handler('@hook.qemu("prepare")', "open('/run/x', 'w')"),
    handler('@hook.qemu("migrate", object="web*")\n@staticmethod', 'hooking.set_cpuset(domain, "1"); print("hello")'),
    handler('@hook.qemu("prepare", "started")', 'if context.op == "prepare": hooking.block_start(context, "no")'),
    handler('@hook.qemu("prepare")\n@other.qemu("nonsense")', "hooking.set_cpuset(other, '1'); hooking.set_cpuset()"),
    handler('@hook.qemu("prepare")', "import subprocess; subprocess.Popen(['sleep', '9'])"),
    handler('@hook.vdsm("before_vm_start")', "import libvirt, os; os.system('sleep 1 &'); print('a')"),
    handler('@hook.qemu(POINT)\n@hook.nope("x")', "pass"),
    f"{HOOK.replace('Hook()', 'Hook(timeout=9)')}import requests\nrequests.get('x')\ndef nothing(): pass\n",
]


@pytest.mark.parametrize("text", GOOD_HANDLERS)
def test_what_handlers_may_do(tmp_path: Path, text: str) -> None:
    assert codes(hook(tmp_path, "hook.py", text), "--no-run") == []


def test_writing_by_hand_where_nothing_goes_back(tmp_path: Path) -> None:
    text = f"{PYTHON}import hooking\nhooking.write_domxml(hooking.read_domxml())\n"
    assert codes(hook(tmp_path, "after_vm_start/10_a", text), "--no-run") == ["H303:3"]
    assert codes(hook(tmp_path, "before_vm_start/10_a", text), "--no-run") == []


BAD_PLACES = [
    ("H303:2", "daemon", PYTHON + "import sys; parse(sys.stdin)\n"),
    ("H303:2", "after_vm_start/10_a", PYTHON + "import sys; parse(sys.stdin)\n"),
    ("H303:2", "after_vm_start/10_a", BASH + "x=$(cat)\n"),
    ("H303:2", "after_vm_start/10_a", BASH + "exit 2\n"),
    ("H303:3", "before_vm_destroy/10_a", PYTHON + "import hooking\nhooking.read_domxml()\n"),
    ("H303:3", "before_vm_start/10_a", PYTHON + "import hooking\nhooking.read_json()\n"),
    ("H303:4", "qemu", PYTHON + "import hooking, sys\nif sys.argv[2] == 'start':\n    hooking.write_domain(d)\n"),
    ("H312:2", "before_vm_start/10_a", BASH + 'xsltproc /x "$_hook_domxml.old" > "$_hook_domxml"\n'),
    ("H110:1", "libvirt/hooks/quemu.d/10_a", BASH),
    ("H303:2", "after_vm_start/10_a", PYTHON + "exit(2)\n"),
    ("H303:3", "after_vm_start/10_a", PYTHON + "import hooking\nhooking.exit_hook('no')\n"),
    ("H303:3", "qemu.d/10_a", PYTHON + "import sys\nif sys.argv[2] == 'prepare': print(x.toxml())\n"),
    ("H303:3", "qemu.d/10_a", PYTHON + "import sys\nif sys.argv[2] == 'start': x.write(sys.stdout.buffer)\n"),
    ("H202:2", "before_vm_start/10_a", BASH + "ssh host true\n"),
    ("H114:2", "qemu", "#!/bin/sh\n[[ $2 = start* ]]\n"),
    ("H114:2", "qemu", "#!/bin/sh\n[ $2 == start ]\n"),
    ("H114:2", "qemu", "#!/bin/sh\nx=${2//a/b}\n"),
]


@pytest.mark.parametrize(("code", "name", "text"), BAD_PLACES)
def test_what_is_wrong_at_a_place(tmp_path: Path, code: str, name: str, text: str) -> None:
    assert code in codes(hook(tmp_path, name, text), "--no-run")


GOOD_PLACES = [
    ("before_vm_start/10_a", BASH + "exit 2\n"),
    ("after_vm_start/10_a", BASH + "exit 1\n"),
    ("after_vm_start/10_a", PYTHON + "exit(1)\n"),
    ("after_vm_start/10_a", PYTHON + "import hooking\nhooking.exit_hook('well', 0)\n"),
    ("daemon", BASH + "cp -a /etc/libvirt/qemu/. /var/backups/; rm -f /run/x\n"),
    ("daemon", PYTHON + "open('/run/x', 'w'); x = '/etc/libvirt/qemu'\n"),
    ("network", BASH + '[ "$1 $2" = "lab started" ]\n'),
    ("network", PYTHON + "import sys\nif sys.argv[1] == 'lab' and sys.argv[2]: pass\n"),
    ("qemu", "#!/bin/sh\nx=${2:-a}; y=${x#a}; [ $y = b ]; cat <<EOF >&2\n==\nEOF\n"),
]


@pytest.mark.parametrize(("name", "text"), GOOD_PLACES)
def test_what_only_looks_wrong_at_a_place(tmp_path: Path, name: str, text: str) -> None:
    assert codes(hook(tmp_path, name, text), "--no-run") == []


def test_an_archive_is_not_read(tmp_path: Path) -> None:
    path = hook(tmp_path, "before_vm_start/10_a", "#!/usr/bin/python3\nPK\x03\x04\0import hooking\r\n")
    assert codes(path, "--no-run") == []
    path = hook(tmp_path, "a", "#!/usr/bin/env python3 -I\nPK\x03\x04\0hooking.read_domxml()")
    assert codes(path, "--no-run") == ["H108:1"]


@pytest.mark.parametrize("name", ["before_vm_start/10_a", "after_vm_start/10_a"])
def test_scripts_that_are_content_with_the_module_of_vdsm(tmp_path: Path, name: str) -> None:
    text = "#!/usr/bin/python3\nimport hooking\nimport os.path\nfrom hooking import tobool\n"
    text += "try:\n    if tobool('a'): exit(1)\n    x = hooking.read_domxml()\n"
    text += "except:\n    hooking.exit_hook('unexpected', 1)\n"
    assert codes(hook(tmp_path, name, text), "--no-run") == []
    assert wants_vdsms_module(load(hook(tmp_path, name, text)))
    assert not wants_vdsms_module(load(hook(tmp_path, name, text.replace("python3", "python3 -I", 1))))
    assert not wants_vdsms_module(load(hook(tmp_path, name, "#!/usr/bin/python3\nimport hooking, (\n")))
    assert not wants_vdsms_module(load(hook(tmp_path, "qemu", text)))


def test_files_beside_those_that_libvirt_starts(tmp_path: Path) -> None:
    script = hook(tmp_path, "libvirt/hooks/hooks", BASH + "f=$2\n")
    helper = hook(tmp_path, "libvirt/hooks/vfio-lib.sh", BASH + "f=$2\n")
    below = hook(tmp_path, "libvirt/hooks/lib/vfio.sh", BASH + "f=$2\n")
    every = [script, helper, below]
    os.mkfifo(tmp_path / "libvirt/hooks/lxc")
    assert [codes(path, "--no-run") for path in every] == [["H110:1"]] * 3
    (script.parent / "qemu").symlink_to("hooks")
    assert [codes(path, "--no-run") for path in every] == [[], ["H110:1"], ["H110:1"]]
    hook(
        tmp_path, "libvirt/hooks/qemu.d/10-vfio", BASH + ". ${0%/*}/../vfio-lib.sh\n. lib/vfio.sh # not old-vfio.sh2\n"
    )
    assert [codes(path, "--no-run") for path in every] == [[]] * 3


def test_a_script_beside_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook(tmp_path, "libvirt/hooks/qemu", BASH + ". vfio-lib.sh\n")
    monkeypatch.setattr("hooking.testing.private_folder._LARGEST", 20)
    assert codes(hook(tmp_path, "libvirt/hooks/vfio-lib.sh", BASH), "--no-run") == ["H110:1"]


def test_what_a_file_is_where_no_host_looks(tmp_path: Path) -> None:
    assert codes(hook(tmp_path, "pin", BASH, 0o644), "--point", "before_vm_start") == []
    assert codes(hook(tmp_path, "qemu.d/a/pin", BASH, 0o644), "--no-run") == ["H101:1", "H110:1"]


def test_interpreters_that_stand_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").symlink_to("/usr/bin/python3")
    found = codes(hook(tmp_path, "qemu", f"#!{tmp_path}/python -I\n"), "--no-run")
    assert not {"H105:1", "H106:1"} & {*found}
    assert "H201:2" in (found := codes(hook(tmp_path, "qemu", "#!/usr/libexec/platform-python -I\nimport libvirt\n")))
    assert "H106:1" not in found
    monkeypatch.setattr("hooking.cli.checks.files.PROGRAM_FOLDERS", (str(tmp_path),))
    assert "H105:1" in codes(hook(tmp_path, "qemu", f"#!{tmp_path}/python -I\n"), "--no-run")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "qemu")
    for path in (tmp_path / "qemu", "/dev/zero"):
        shown = invoke(path)
        assert shown.exit_code == 2
        assert "no regular file" in shown.output
        assert "--no-run" not in shown.output


def test_a_name_of_a_guest_is_shown_alone(tmp_path: Path) -> None:
    shown = invoke(hook(tmp_path, "qemu", BASH + '[ "$1 $2" = "desk started" ] && true\n'), "--no-run")
    assert "A guest's name in the code: desk;" in shown.output


def test_functions_are_followed_without_reading_all_for_each() -> None:
    text = "".join(f"f{each + 1}() {{\n f{each}\n logger a\n}}\n" for each in range(100)) + "f100\n"
    program = parse(text)
    taken = 0

    class Counted(list[Command]):
        def __iter__(self) -> Iterator[Command]:
            nonlocal taken
            for each in super().__iter__():
                taken += 1
                yield each

    commands = program.commands
    program.commands = Counted(commands)
    assert all(program.ops(each) == ALL_OPS and program.speaks(each) for each in commands)
    assert taken < 5 * len(commands)


def test_a_tree_that_somebody_starts(tmp_path: Path) -> None:
    path = hook(tmp_path, "qemu.d/win11/prepare/begin/start.sh", BASH + "systemctl stop x\n")
    assert codes(path, "--no-run") == ["H110:1"]
    hook(tmp_path, "qemu.d/50-run-tree", BASH)
    assert codes(path, "--no-run") == []


def test_a_point_that_no_host_calls(tmp_path: Path) -> None:
    assert codes(hook(tmp_path, "script", PYTHON), "--no-run", "--point", "network/plugged") == ["H302:1"]


BAD_TRIALS = [
    ("H401:1", "qemu", BASH + "sleep 60 >&2"),
    ("H402:1", "qemu", BASH + "case $1 in web*) ;; *) echo no such guest >&2; exit 1;; esac"),
    ("H402:1", "qemu", BASH + "[ $2 != reconnect ]"),
    ("H402:1", "before_vm_start/10_a", f"{PYTHON}import os\nos.environ['pincpu']\n"),
    ("H403:1", "qemu", f"{PYTHON}import sys\nx = 'hello'\nsys.stdout.write(x)\n"),
]


@pytest.mark.parametrize(("code", "name", "text"), BAD_TRIALS)
def test_what_a_trial_shows(tmp_path: Path, code: str, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooking.cli.checks.trial._SECONDS", 1)
    path = hook(tmp_path, name, text)
    assert code in codes(path)
    assert code not in codes(path, "--no-run")


@pytest.mark.parametrize("text", ["import no_such_module\n", "open('/no/such/file')\n"])
def test_what_this_machine_lacks_says_nothing_of_a_hook(tmp_path: Path, text: str) -> None:
    assert codes(hook(tmp_path, "qemu", PYTHON + text)) == []


def test_programs_that_change_a_host_are_not_started(tmp_path: Path) -> None:
    path = hook(tmp_path, "network", f"{BASH}[ $2 = started ] && reboot\ncd {tmp_path} && touch tried\n")
    assert codes(path) == []
    assert (tmp_path / "tried").exists()


def test_the_user_tells_where_a_script_is_called(tmp_path: Path) -> None:
    path = hook(tmp_path, "script", "#!/usr/bin/python3\nimport hooking\nprint('hello')\n")
    assert codes(path, "--no-run") == ["H203:3"]
    assert codes(path, "--no-run", "--host", "vdsm") == ["H107:1"]
    assert codes(path, "--no-run", "--point", "qemu/prepare", "--host", "libvirt") == []
    path = hook(tmp_path, "xml", "#!/usr/bin/python3\nimport hooking\nhooking.Hook(hooking.read_domxml())\n")
    assert codes(path, "--no-run") == ["H107:1"]


def test_another_language_is_tried_only(tmp_path: Path) -> None:
    path = hook(tmp_path, "qemu", "#!/usr/bin/awk -f\nBEGIN { exit 3 }\n")
    assert codes(path, "--no-run") == []
    assert codes(path) == ["H402:1"]


def test_a_script_without_an_interpreter_is_read_by_its_name(tmp_path: Path) -> None:
    assert codes(hook(tmp_path, "qemu.d/x.py", "import libvirt\n")) == ["H102:1", "H201:1"]


def test_each_finding_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    first, second = hook(tmp_path, "a/qemu", BASH + "virsh list"), hook(tmp_path, "b/qemu", BASH + "ssh host")
    shown = invoke(first, second, "--no-run")
    assert shown.exit_code == 1
    calling, waiting = shown.output.splitlines()
    assert calling == (
        f"{first}:2: H201 error: Calling libvirt back: virsh list; libvirt waits for the hook, and cannot answer it: "
        "read standard input, or do it later, outside the hook"
    )
    assert waiting.startswith(f"{second}:2: H202 warning: A network call without a time limit: ssh; ")


def test_wrong_use(tmp_path: Path) -> None:
    path = hook(tmp_path, "qemu", BASH)
    assert invoke(path, "--point", "qemu/migrat").exit_code == 2
    assert invoke(path, "--point", "qemu/migrate", "--host", "vdsm").exit_code == 2
    assert invoke(tmp_path / "none").exit_code == 2


def test_a_script_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(path: Path) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    path = hook(tmp_path, "qemu", BASH)
    monkeypatch.setattr("hooking.cli.checks.script.read_regular", vanish)
    shown = invoke(path)
    assert shown.exit_code == 2
    assert "cannot be read: No such file or directory" in shown.output


def test_a_trial_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    shown = invoke(hook(tmp_path, "before_vm_start/10_a", BASH))
    assert shown.exit_code == 2
    assert "taskset" in shown.output
    assert "--no-run" in shown.output


def test_templates_are_clean() -> None:
    scripts = [path for path in TEMPLATES.glob("*/*.py") if not path.name.startswith("test_")]
    assert len(scripts) > 15
    shown = invoke(*scripts)
    assert (shown.output, shown.exit_code) == ("", 0)


EXAMPLES = [
    text
    for page in PAGES
    for text in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    if "def test_" not in text
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_of_the_documents_are_clean(tmp_path: Path, text: str) -> None:
    text = text if text.startswith("#!") else PYTHON + text
    options = ["--point", "before_vm_start"] if "current_context" in text else []
    assert codes(hook(tmp_path, "example", text), *options) == []


def test_scripts_in_the_manner_of_vdsm_are_clean(tmp_path: Path) -> None:
    assert codes(hook(tmp_path, "before_vm_start/50_pincpu", PYTHON + PINCPU)) == []


def test_every_finding_is_found_somewhere() -> None:
    cases: list[tuple[object, ...]] = [*BAD_FILES, *BAD_SHELL, *BAD_PYTHON, *BAD_HANDLERS, *BAD_PLACES, *BAD_TRIALS]
    assert {str(case[0]).partition(":")[0] for case in cases} == set(RULES)


@given(texts(" \n\t\f\"'\\$`(){}[]<>|&;#=!2ab") | texts())
def test_any_text_can_be_read_as_a_shell_script(written: str) -> None:
    program = parse(written)
    for command in program.commands:
        assert command.words
        assert 1 <= command.line <= written.count("\n") + 1


def test_a_program_needs_no_interpreter(tmp_path: Path) -> None:
    path = tmp_path / "qemu"
    path.write_bytes(Path("/bin/true").read_bytes())
    path.chmod(0o755)
    assert codes(path) == []
    path.chmod(0o644)
    assert codes(path, "--no-run") == ["H101:1"]


@pytest.mark.parametrize("broken", ["x=$(virsh", "x=${y", "x='a", 'x="a', "f() {", "case $1 in a", "if a; then", "`a"])
def test_what_is_not_closed_is_read_to_its_end(broken: str) -> None:
    assert parse(broken).variables.get("x") in {None, "$()", "${y}", "a"}


def test_a_shell_script_of_vdsm_may_ask_libvirt(tmp_path: Path) -> None:
    assert codes(hook(tmp_path, "before_vm_start/10_a", BASH + '[ "$1" = a ] || virsh list'), "--no-run") == []

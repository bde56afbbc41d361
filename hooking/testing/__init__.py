"""Tools for trying and testing hooks without a host."""

from hooking.testing.difference import assert_same_document as assert_same_document
from hooking.testing.fake_host import FakeHost as FakeHost
from hooking.testing.fake_programs import add_lvm as add_lvm, add_systemd as add_systemd
from hooking.testing.in_process import run_hook as run_hook
from hooking.testing.libvirtd import Libvirtd as Libvirtd
from hooking.testing.outcome import Outcome as Outcome
from hooking.testing.recording import Recording as Recording, find_recordings as find_recordings
from hooking.testing.usual_host import usual_host as usual_host
from hooking.testing.vdsmd import Vdsmd as Vdsmd

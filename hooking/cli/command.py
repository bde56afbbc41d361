"""The command group; each sub-command has its own module."""

from __future__ import annotations

import click

import hooking as package
from hooking.cli.bundle import bundle
from hooking.cli.check import check
from hooking.cli.doctor import doctor
from hooking.cli.installation_commands import install, list_, reload, uninstall
from hooking.cli.new import new
from hooking.cli.points import points
from hooking.cli.record import record
from hooking.cli.replay import replay
from hooking.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package.__version__, package_name="libvirt-hooking")
def hooking() -> None:
    """Write, try, check and install hook scripts for libvirt and oVirt/VDSM.

    Exit status: 0 if all went well, 1 if a hook failed, 2 if the command was used wrongly.
    """


hooking.add_command(new)
hooking.add_command(run)
hooking.add_command(record)
hooking.add_command(replay)
hooking.add_command(points)
hooking.add_command(check)
hooking.add_command(bundle)
hooking.add_command(install)
hooking.add_command(uninstall)
hooking.add_command(list_)
hooking.add_command(reload)
hooking.add_command(doctor)

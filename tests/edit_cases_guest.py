"""The cases of the edits of the guest itself: CPU, memory, system information and so on."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from edit_cases import UUID, Case, calls, guest
from edit_cases_incoming import INCOMING
from hooking.edits import cpu, memory, metadata, qemu, sysinfo

CELLS = "<numa><cell id='0' cpus='0' memory='32' unit='MiB'/><cell id='1' cpus='1' memory='32' unit='MiB'/></numa>"
IOTHREADS = "<iothreads>2</iothreads>"
SYSINFO = "<sysinfo type='smbios'>{}</sysinfo>"
SMBIOS = "<smbios mode='sysinfo'/>"
QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
COMMANDLINE = "*[local-name()='commandline']"
APP = "<metadata><app:{} xmlns:app='urn:app'>{}</app:{}><other:x xmlns:other='urn:other'/></metadata>"

cpusets = st.lists(st.integers(0, 300), min_size=1).map(lambda numbers: ",".join(map(str, numbers)))
names = st.text("abcXYZ019_-", min_size=1, max_size=8)
words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=12)
numa_modes = st.sampled_from(["strict", "interleave", "preferred", "restrictive"])


CPU = [
    Case(
        "set_cpuset",
        lambda domain: cpu.set_cpuset(domain, "0-1"),
        {
            "absent": guest(),
            "equal": guest(vcpu="<vcpu placement='static' cpuset='0-1'>2</vcpu>"),
            "different": guest(vcpu="<vcpu placement='auto' cpuset='3'>2</vcpu>"),
            "doubled": guest(vcpu="<vcpu cpuset='3'>2</vcpu><vcpu cpuset='4'>2</vcpu>"),
        },
        {"string(vcpu[1]/@cpuset)": "0-1", "string(vcpu[1])": "2", "vcpu[1]/@placement = 'auto'": False},
        ["vcpu/@cpuset", "vcpu/@placement"],
        calls(cpu.set_cpuset, cpusets),
    ),
    Case(
        "pin_vcpu",
        lambda domain: cpu.pin_vcpu(domain, 1, "2-3"),
        {
            "absent": guest(elements="<cputune><shares>9</shares><vcpupin vcpu='0' cpuset='1'/></cputune>"),
            "equal": guest(
                elements="<cputune><vcpupin vcpu='1' cpuset='2-3'/><vcpupin vcpu='0' cpuset='1'/></cputune>"
            ),
            "different": guest(
                elements="<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='5'/></cputune>"
            ),
            "doubled": guest(
                elements="<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='5'/></cputune>"
                "<cputune><vcpupin vcpu='1' cpuset='6'/></cputune>"
            ),
        },
        {
            "string(cputune/vcpupin[@vcpu='1']/@cpuset)": "2-3",
            "string(cputune/vcpupin[@vcpu='0']/@cpuset)": "1",
            "count(cputune/vcpupin)": 2,
        },
        ["cputune/vcpupin[@vcpu='1']"],
        calls(cpu.pin_vcpu, st.just(1), cpusets),
    ),
    Case(
        "pin_emulator",
        lambda domain: cpu.pin_emulator(domain, "2-3"),
        {
            "absent": guest(),
            "equal": guest(elements="<cputune><emulatorpin cpuset='2-3'/></cputune>"),
            "different": guest(elements="<cputune><emulatorpin cpuset='1'/></cputune>"),
            "doubled": guest(elements="<cputune><emulatorpin cpuset='1'/><emulatorpin cpuset='2'/></cputune>"),
        },
        {"string(cputune/emulatorpin/@cpuset)": "2-3", "count(cputune/emulatorpin)": 1},
        ["cputune/emulatorpin"],
        calls(cpu.pin_emulator, cpusets),
    ),
    Case(
        "pin_iothread",
        lambda domain: cpu.pin_iothread(domain, 2, "2-3"),
        {
            "absent": guest(elements=IOTHREADS),
            "equal": guest(elements=f"{IOTHREADS}<cputune><iothreadpin iothread='2' cpuset='2-3'/></cputune>"),
            "different": guest(elements=f"{IOTHREADS}<cputune><iothreadpin iothread='2' cpuset='1'/></cputune>"),
            "doubled": guest(
                elements=f"{IOTHREADS}<cputune><iothreadpin iothread='2' cpuset='1'/>"
                "<iothreadpin iothread='2' cpuset='1'/></cputune>"
            ),
        },
        {"string(cputune/iothreadpin[@iothread='2']/@cpuset)": "2-3", "count(cputune/iothreadpin)": 1},
        ["cputune/iothreadpin"],
        calls(cpu.pin_iothread, st.integers(1, 2), cpusets),
    ),
    Case(
        "set_cpu_mode",
        lambda domain: cpu.set_cpu_mode(domain, "host-passthrough"),
        {
            "absent": guest(),
            "equal": guest(elements="<cpu mode='host-passthrough' migratable='on'/>"),
            "different": guest(
                elements="<cpu match='exact'><model fallback='allow'>Nehalem</model><vendor>Intel</vendor></cpu>"
            ),
            "doubled": guest(elements="<cpu mode='maximum'/><cpu mode='host-model'/>"),
        },
        {"string(cpu[1]/@mode)": "host-passthrough", "count(cpu[1]/model)": 0},
        ["cpu/@mode", "cpu/@match", "cpu/@migratable", "cpu/cache", "cpu/model", "cpu/vendor"],
        calls(cpu.set_cpu_mode, st.sampled_from(["host-model", "host-passthrough", "maximum"])),
    ),
    Case(
        "set_cpu_model",
        lambda domain: cpu.set_cpu_model(domain, "Nehalem"),
        {
            "absent": guest(elements=f"<cpu>{CELLS}</cpu>"),
            "equal": guest(
                elements="<cpu mode='custom' match='exact'><model fallback='allow'>Nehalem</model>"
                f"<vendor>Intel</vendor>{CELLS}</cpu>"
            ),
            "different": guest(
                elements=f"<cpu mode='host-passthrough' migratable='off'><cache mode='passthrough'/>{CELLS}</cpu>"
            ),
            "doubled": guest(
                elements=f"<cpu><model>Haswell</model>{CELLS}<vendor>Intel</vendor></cpu><cpu mode='maximum'/>"
            ),
        },
        {"string(cpu[1]/model)": "Nehalem", "string(cpu[1]/@mode)": "custom", "count(cpu[1]/numa/cell)": 2},
        ["cpu/@mode", "cpu/@match", "cpu/@migratable", "cpu/cache", "cpu/model", "cpu/vendor"],
        names.map(lambda name: lambda domain: cpu.set_cpu_model(domain, name, fallback="forbid")),
    ),
    Case(
        "set_cpu_feature",
        lambda domain: cpu.set_cpu_feature(domain, "vmx", "disable"),
        {
            "absent": guest(),
            "equal": guest(elements="<cpu mode='host-model'><feature name='vmx' policy='disable'/></cpu>"),
            "different": guest(
                elements="<cpu><model>Nehalem</model><feature name='vmx' policy='require'/>"
                "<feature name='aes' policy='require'/></cpu>"
            ),
            "doubled": guest(
                elements="<cpu mode='maximum'><feature name='vmx' policy='require'/>"
                "<feature name='vmx' policy='optional'/></cpu>"
            ),
        },
        {"string(cpu/feature[@name='vmx']/@policy)": "disable", "count(cpu/feature[@name='vmx'])": 1},
        ["cpu/feature[@name='vmx']", "cpu[not(*)]/@mode"],
        calls(cpu.set_cpu_feature, st.just("vmx"), st.sampled_from(["force", "require", "optional", "disable"])),
    ),
    Case(
        "remove_cpu_feature",
        lambda domain: cpu.remove_cpu_feature(domain, "vmx"),
        {
            "absent": guest(),
            "equal": guest(elements="<cpu mode='host-model'><feature name='aes' policy='disable'/></cpu>"),
            "different": guest(elements="<cpu mode='host-model'><feature name='vmx' policy='require'/></cpu>"),
            "doubled": guest(
                elements="<cpu mode='maximum'><feature name='vmx' policy='require'/>"
                "<feature name='vmx' policy='optional'/></cpu>"
            ),
        },
        {"count(cpu/feature[@name='vmx'])": 0},
        ["cpu/feature[@name='vmx']"],
    ),
]

MEMORY = [
    Case(
        "set_numatune",
        lambda domain: memory.set_numatune(domain, "strict", "0-1"),
        {
            "absent": guest(),
            "equal": guest(elements="<numatune><memory mode='strict' nodeset='0-1'/></numatune>"),
            "different": guest(elements="<numatune><memory mode='preferred' placement='auto'/></numatune>"),
            "doubled": guest(
                elements="<numatune><memory mode='strict' nodeset='3'/></numatune>"
                "<numatune><memory mode='interleave' nodeset='4'/></numatune>"
            ),
        },
        {
            "string(numatune/memory/@nodeset)": "0-1",
            "string(numatune/memory/@mode)": "strict",
            "count(numatune)": 1,
            "numatune/memory/@placement = 'auto'": False,
        },
        ["numatune/memory"],
        calls(memory.set_numatune, numa_modes, cpusets),
    ),
    Case(
        "set_memnode",
        lambda domain: memory.set_memnode(domain, 1, "strict", "0"),
        {
            "absent": guest(elements=f"<cpu>{CELLS}</cpu><numatune><memory mode='strict' nodeset='0'/></numatune>"),
            "equal": guest(
                elements=f"<cpu>{CELLS}</cpu><numatune><memnode cellid='1' mode='strict' nodeset='0'/></numatune>"
            ),
            "different": guest(
                elements=f"<cpu>{CELLS}</cpu><numatune><memnode cellid='1' mode='preferred' nodeset='3'/>"
                "<memnode cellid='0' mode='strict' nodeset='0'/></numatune>"
            ),
            "doubled": guest(
                elements=f"<cpu>{CELLS}</cpu><numatune><memnode cellid='1' mode='preferred' nodeset='3'/>"
                "<memnode cellid='1' mode='strict' nodeset='0'/></numatune>"
            ),
        },
        {
            "string(numatune/memnode[@cellid='1']/@nodeset)": "0",
            "string(numatune/memnode[@cellid='1']/@mode)": "strict",
            "count(numatune/memnode[@cellid='1'])": 1,
        },
        ["numatune/memnode[@cellid='1']"],
        calls(memory.set_memnode, st.just(1), numa_modes, cpusets),
    ),
    Case(
        "set_hugepages",
        lambda domain: memory.set_hugepages(domain, 2048),
        {
            "absent": guest(elements="<memoryBacking><locked/></memoryBacking>"),
            "equal": guest(
                elements="<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages></memoryBacking>"
            ),
            "different": guest(
                elements=f"<cpu>{CELLS}</cpu><memoryBacking><hugepages><page size='1' unit='GiB'/>"
                "<page size='4' unit='MiB' nodeset='0'/></hugepages></memoryBacking>"
            ),
            "doubled": guest(
                elements="<memoryBacking><hugepages/></memoryBacking>"
                "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages><locked/></memoryBacking>"
            ),
        },
        {"string(memoryBacking/hugepages/page/@size)": "2048", "count(memoryBacking/hugepages/page)": 1},
        ["memoryBacking/hugepages"],
        calls(memory.set_hugepages, st.integers(1, 2**40)),
    ),
    Case(
        "set_hugepages: of one cell",
        lambda domain: memory.set_hugepages(domain, 2048, nodeset="1"),
        {
            "absent": guest(elements=f"<cpu>{CELLS}</cpu>"),
            "equal": guest(
                elements=f"<cpu>{CELLS}</cpu><memoryBacking><hugepages><page size='2048' unit='KiB' nodeset='1'/>"
                "<page size='1' unit='GiB'/></hugepages></memoryBacking>"
            ),
            "different": guest(
                elements=f"<cpu>{CELLS}</cpu><memoryBacking><hugepages><page size='1' unit='GiB' nodeset='0-1'/>"
                "</hugepages></memoryBacking>"
            ),
            "doubled": guest(
                elements=f"<cpu>{CELLS}</cpu><memoryBacking><hugepages><page size='1' unit='GiB' nodeset='1'/>"
                "<page size='2048' unit='KiB' nodeset='1'/></hugepages></memoryBacking>"
            ),
        },
        {
            "string(memoryBacking/hugepages/page[@nodeset='1']/@size)": "2048",
            "count(memoryBacking/hugepages/page[@nodeset='0-1'])": 0,
        },
        ["memoryBacking/hugepages/page[@nodeset]", "memoryBacking/hugepages[not(*)]"],
        st.integers(1, 2**40).map(lambda size: lambda domain: memory.set_hugepages(domain, size, nodeset="0")),
    ),
    Case(
        "set_hugepages: of the host's size",
        lambda domain: memory.set_hugepages(domain),  # noqa: PLW0108 - the others have arguments
        {
            "absent": guest(),
            "equal": guest(elements="<memoryBacking><hugepages/></memoryBacking>"),
            "different": guest(
                elements="<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>"
            ),
            "doubled": guest(
                elements="<memoryBacking><hugepages/><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>"
            ),
        },
        {"count(memoryBacking/hugepages)": 1, "count(memoryBacking/hugepages/page)": 0},
        ["memoryBacking/hugepages"],
    ),
    Case(
        "set_memory_backing",
        lambda domain: memory.set_memory_backing(domain, "memfd"),
        {
            "absent": guest(),
            "equal": guest(
                elements="<memoryBacking><source type='memfd'/><access mode='shared'/><locked/></memoryBacking>"
            ),
            "different": guest(elements="<memoryBacking><source type='file'/><access mode='private'/></memoryBacking>"),
            "doubled": guest(
                elements="<memoryBacking><source type='file'/></memoryBacking><memoryBacking><source type='memfd'/>"
                "<access mode='private'/></memoryBacking>"
            ),
        },
        {"string(memoryBacking/source/@type)": "memfd", "string(memoryBacking/access/@mode)": "shared"},
        ["memoryBacking/source", "memoryBacking/access"],
        calls(
            memory.set_memory_backing,
            st.sampled_from(["anonymous", "file", "memfd"]),
            st.sampled_from(["shared", "private"]),
        ),
    ),
    Case(
        "lock_memory",
        memory.lock_memory,
        {
            "absent": guest(),
            "equal": guest(elements="<memoryBacking><locked/></memoryBacking>"),
            "different": guest(elements="<memoryBacking><nosharepages/></memoryBacking>"),
            "doubled": guest(
                elements="<memoryBacking><locked/></memoryBacking><memoryBacking><locked/></memoryBacking>"
            ),
        },
        {"count(memoryBacking[1]/locked)": 1},
        ["memoryBacking/locked"],
    ),
]

FIRMWARE = [
    Case(
        "set_sysinfo",
        lambda domain: sysinfo.set_sysinfo(domain, "system", "serial", "0815"),
        {
            "absent": guest(),
            "equal": guest(elements=SYSINFO.format("<system><entry name='serial'>0815</entry></system>"), os=SMBIOS),
            "different": guest(
                elements=SYSINFO.format("<system><entry name='serial'>1</entry><entry name='sku'>k</entry></system>"),
                os="<smbios mode='host'/>",
            ),
            "doubled": guest(
                elements=SYSINFO.format(
                    "<system><entry name='serial'>1</entry><entry name='serial'>2</entry></system>"
                ),
            ),
        },
        {
            "string(sysinfo[1]/system/entry[@name='serial'])": "0815",
            "count(sysinfo[1]/system/entry[@name='serial'])": 1,
            "string(os/smbios/@mode)": "sysinfo",
        },
        ["sysinfo[@type='smbios']/system/entry[@name='serial']", "os/smbios", "sysinfo[not(*)]/@type"],
        calls(sysinfo.set_sysinfo, st.just("system"), st.just("serial"), words),
    ),
    Case(
        "set_sysinfo: beside fw_cfg",
        lambda domain: sysinfo.set_sysinfo(domain, "bios", "date", "04/01/2014"),
        {
            "absent": guest(elements="<sysinfo type='fwcfg'><entry name='opt/com.example/a'>x</entry></sysinfo>"),
            "different": guest(
                elements="<sysinfo type='fwcfg'><entry name='opt/com.example/a'>x</entry></sysinfo>"
                + SYSINFO.format("<bios><entry name='date'>1/1/99</entry></bios>")
            ),
        },
        {
            "string(sysinfo[@type='smbios']/bios/entry[@name='date'])": "04/01/2014",
            "count(sysinfo[@type='fwcfg']/entry)": 1,
        },
        ["sysinfo[@type='smbios']", "os/smbios"],
        calls(
            sysinfo.set_sysinfo,
            st.just("bios"),
            st.just("date"),
            st.dates(date(1900, 1, 1)).map(lambda day: f"{day:%m/%d/%Y}"),
        ),
    ),
    Case(
        "set_sysinfo: the UUID",
        lambda domain: sysinfo.set_sysinfo(domain, "system", "uuid", UUID),
        {
            "absent": guest(),
            "equal": guest(elements=SYSINFO.format(f"<system><entry name='uuid'>{UUID}</entry></system>"), os=SMBIOS),
        },
        {"string(sysinfo/system/entry[@name='uuid'])": UUID},
        ["sysinfo", "os/smbios"],
    ),
    Case(
        "add_oem_string",
        lambda domain: sysinfo.add_oem_string(domain, "app: x"),
        {
            "absent": guest(),
            "equal": guest(elements=SYSINFO.format("<oemStrings><entry>app: x</entry></oemStrings>"), os=SMBIOS),
            "different": guest(elements=SYSINFO.format("<oemStrings><entry>other</entry></oemStrings>")),
            "doubled": guest(
                elements=SYSINFO.format(
                    "<oemStrings><entry>other</entry></oemStrings><oemStrings><entry>other</entry></oemStrings>"
                )
            ),
        },
        {"count(sysinfo/oemStrings[1]/entry[. = 'app: x'])": 1},
        ["sysinfo/oemStrings/entry[. != 'other']", "os/smbios", "sysinfo[not(*)]/@type"],
        calls(sysinfo.add_oem_string, words.filter(lambda text: text != "other")),
    ),
]

QEMU_CASES = [
    Case(
        "add_qemu_args",
        lambda domain: qemu.add_qemu_args(domain, ["-fw_cfg", 'name=opt/x,string=a<b&"c"']),
        {
            "absent": guest(),
            "equal": guest(
                elements=f"<qemu:commandline {QEMU}><qemu:arg value='-S'/><qemu:arg value='-fw_cfg'/>"
                "<qemu:arg value='name=opt/x,string=a&lt;b&amp;\"c\"'/></qemu:commandline>"
            ),
            "different": guest(
                elements=f"<ns0:commandline {QEMU.replace('qemu=', 'ns0=', 1)}><ns0:arg value='-S'/></ns0:commandline>"
            ),
            "doubled": guest(
                elements=f"<qemu:commandline {QEMU}><qemu:arg value='-S'/></qemu:commandline>"
                f"<qemu:commandline {QEMU}><qemu:env name='A' value='1'/></qemu:commandline>"
            ),
        },
        {
            f"count({COMMANDLINE})": 1,
            f"string({COMMANDLINE}/*[@value='-fw_cfg']/following-sibling::*[1]/@value)": 'name=opt/x,string=a<b&"c"',
            f"count({COMMANDLINE}/*[@value='-fw_cfg'])": 1,
        },
        [f"{COMMANDLINE}/*"],
        calls(qemu.add_qemu_args, st.lists(words)),
    ),
    Case(
        "set_qemu_env",
        lambda domain: qemu.set_qemu_env(domain, "TZ", "UTC"),
        {
            "absent": guest(),
            "equal": guest(elements=f"<qemu:commandline {QEMU}><qemu:env name='TZ' value='UTC'/></qemu:commandline>"),
            "different": guest(
                elements=f"<qemu:commandline {QEMU}><qemu:env name='TZ'/><qemu:env name='A'/></qemu:commandline>"
            ),
            "doubled": guest(
                elements=f"<qemu:commandline {QEMU}><qemu:env name='TZ' value='a'/></qemu:commandline>"
                f"<qemu:commandline {QEMU}><qemu:env name='TZ' value='b'/></qemu:commandline>"
            ),
        },
        {f"string({COMMANDLINE}/*[@name='TZ']/@value)": "UTC", f"count({COMMANDLINE}/*[@name='TZ'])": 1},
        [f"{COMMANDLINE}/*[@name='TZ']"],
        calls(qemu.set_qemu_env, st.just("TZ"), words),
    ),
    Case(
        "set_metadata",
        lambda domain: metadata.set_metadata(domain, "<app:tag xmlns:app='urn:app'>web</app:tag>"),
        {
            "absent": guest(),
            "equal": guest(elements=APP.format("tag", "web", "tag")),
            "different": guest(elements=APP.format("old", "db", "old")),
            "doubled": guest(
                elements="<metadata><a xmlns='urn:app'>1</a><b xmlns='urn:app'>2</b><c xmlns='urn:other'/></metadata>"
            ),
        },
        {
            "count(metadata/*[namespace-uri()='urn:app'])": 1,
            "string(metadata/*[namespace-uri()='urn:app'])": "web",
        },
        ["metadata/*[namespace-uri()='urn:app']"],
    ),
    Case(
        "remove_metadata",
        lambda domain: metadata.remove_metadata(domain, "urn:app"),
        {
            "absent": guest(),
            "equal": guest(elements="<metadata><x xmlns='urn:other'/></metadata>"),
            "different": guest(elements=APP.format("old", "db", "old")),
            "doubled": guest(elements="<metadata><a xmlns='urn:app'/><b xmlns='urn:app'/></metadata>"),
        },
        {"count(metadata/*[namespace-uri()='urn:app'])": 0},
        ["metadata/*[namespace-uri()='urn:app']", "metadata[not(*)]"],
    ),
]

CASES: list[Case] = [*CPU, *MEMORY, *FIRMWARE, *QEMU_CASES, *INCOMING]

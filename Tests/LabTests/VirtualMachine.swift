import Foundation
import Lab
import Testing

/// A virtual machine on a lab's host: QEMU without KVM, Debian's cloud kernel that `scripts/setup` unpacks, and an initial RAM disk of busybox.
///
/// It asks for an address by DHCP and for its metadata, pings an address until it answers, and says each on its console.
struct VirtualMachine {
    /// The unpacked package of the kernel, below the directory of the clone, where tests run.
    static let package = "\(FileManager.default.currentDirectoryPath)/.guest"
    static let bootTimeoutMilliseconds = 180_000
    private static let memoryMegabytes = 192
    private static let modules = [
        "virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "failover", "net_failover", "virtio_net",
    ]

    let console: String

    /// Whether this machine has what it takes.
    static var isAvailable: Bool { kernel != nil && FileManager.default.isExecutableFile(atPath: "/usr/bin/qemu-system-x86_64") }
    static let skipReason: Comment = "there is no QEMU, or no kernel in .guest: 'make setup' gets both"

    private static var kernel: String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(package)/boot")) ?? []
        return names.first { $0.hasPrefix("vmlinuz-") }.map { "\(package)/boot/\($0)" }
    }

    /// Starts it in the background; it ends with its host.
    ///
    /// - Parameters:
    ///   - arguments: the words that attach its network device.
    ///   - target: the address that it pings.
    static func start(on host: LabHost, arguments: [String], target: String, directory: String) async throws -> VirtualMachine {
        let disk = try makeDisk(in: directory)
        let machine = VirtualMachine(console: "\(directory)/console.log")
        // Without a ROM the firmware does not try to boot from the network.
        let device = arguments.map { $0.hasPrefix("virtio-net-pci") ? $0 + ",romfile=" : $0 }
        try await host.place.start(
            [
                "nice", "-n", "5", "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "\(memoryMegabytes)",
                "-nodefaults",
                "-nographic", "-no-reboot", "-serial", "stdio", "-kernel", try #require(kernel), "-initrd", disk, "-append",
                "console=ttyS0 quiet panic=-1 target=\(target)",
            ] + device, log: machine.console)
        return machine
    }

    /// Waits until the console says a line that begins with the word, and answers the rest of it.
    func line(_ word: String) async throws -> String {
        let path = console
        return try await waitFor(
            "the virtual machine to say '\(word)': \(path)", timeoutMilliseconds: Self.bootTimeoutMilliseconds, intervalMilliseconds: 200
        ) {
            let text = String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
            let lines = text.split(whereSeparator: \.isNewline)
            return lines.first { $0.hasPrefix(word + ": ") }.map { String($0.dropFirst(word.count + 2)) }
        }
    }

    // MARK: The initial RAM disk

    private static func makeDisk(in directory: String) throws -> String {
        let root = "\(directory)/root"
        let files = FileManager.default
        for name in ["bin", "modules", "proc", "sys", "dev", "lib64", "run", "etc"] {
            try files.createDirectory(atPath: "\(root)/\(name)", withIntermediateDirectories: true)
        }
        try files.copyItem(atPath: "/usr/bin/busybox", toPath: "\(root)/bin/busybox")
        try write("\(root)/init", script, isExecutable: true)
        try write("\(root)/lease", lease, isExecutable: true)
        let script = """
            set -e
            cd "$1"
            for library in $(ldd bin/busybox | grep -o '/[^ )]*'); do mkdir -p "./$(dirname "$library")"; cp -L "$library" "./$library"; done
            for module in $3; do cp "$(find "$2/lib/modules" -name "$module.ko*" | head -n 1)" modules/; done
            find . | busybox cpio -o -H newc | gzip -1 > ../disk.gz
            """
        let made = Process()
        made.executableURL = URL(fileURLWithPath: "/bin/sh")
        made.arguments = ["-c", script, "sh", root, package, modules.joined(separator: " ")]
        made.standardError = FileHandle.nullDevice
        try made.run()
        made.waitUntilExit()
        try #require(made.terminationStatus == 0)
        return "\(directory)/disk.gz"
    }

    private static func write(_ path: String, _ text: String, isExecutable: Bool) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        if isExecutable { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path) }
    }

    /// The machine's first program.
    private static let script = """
        #!/bin/busybox sh
        /bin/busybox --install -s /bin
        export PATH=/bin
        mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
        # Each time those go in whose needs are there.
        for pass in 1 2 3 4; do for module in \(modules.joined(separator: " ")); do insmod /modules/$module.ko 2>/dev/null; done; done
        ip link set lo up
        device=$(ls /sys/class/net | grep -v lo | head -n 1)
        ip link set "$device" up
        echo "booted: $(uname -r)"
        udhcpc -i "$device" -f -n -q -t 30 -T 1 -O 121 -O mtu -s /lease > /dev/null 2>&1 && \
            echo "address: $(ip -4 -o address show dev "$device" | sed 's/.*inet \\([^ ]*\\).*/\\1/')" || echo "address: none"
        echo "mtu: $(cat /sys/class/net/$device/mtu)"
        target=$(sed 's/.*target=\\([^ ]*\\).*/\\1/' /proc/cmdline)
        for attempt in $(seq 60); do ping -c 1 -W 1 "$target" > /dev/null && break; done
        ping -c 3 -W 1 "$target" > /dev/null && echo "ping: answered" || echo "ping: no answer"
        # Debian's busybox is built without wget's -T, and crashes when given one. What wget complains of stays on the console.
        ask() {
            for attempt in $(seq 10); do
                answer=$(timeout 10 wget -q -O - "http://169.254.169.254/$1") && printf '%s' "$answer" | tr -d '\\n' && return
                sleep 1
            done
            printf none
        }
        echo "metadata: $(ask openstack/latest/meta_data.json)"
        echo "instance-id: $(ask latest/meta-data/instance-id)"
        echo "hostname: $(ask latest/meta-data/hostname)"
        echo "end: 0"
        sleep 3600
        """

    private static let lease = """
        #!/bin/busybox sh
        [ "$1" = bound ] || exit 0
        ip address add "$ip/$mask" dev "$interface"
        [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
        if [ -n "$staticroutes" ]; then
            set -- $staticroutes
            while [ $# -ge 2 ]; do
                if [ "$2" = 0.0.0.0 ]; then ip route add "$1" dev "$interface"; else ip route add "$1" via "$2"; fi
                shift 2
            done
        elif [ -n "$router" ]; then ip route add default via "${router%% *}"; fi
        """
}

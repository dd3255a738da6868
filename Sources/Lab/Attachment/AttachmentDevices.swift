import Glibc
import KernelLinux

/// The devices of attachments, in the host's own namespace and in others that `ip netns` knows.
struct AttachmentDevices: Sendable {
    private static let timeoutMilliseconds = 30_000
    private static let namespaces = "/run/netns"

    /// Looks whether the plug can be made, before anything is done for it.
    func plan(_ plug: AttachmentRequest.Plug) async throws -> Attachment.Device {
        switch plug {
        case .namespace(let name, let device, let usesDHCP):
            guard Self.isGoodNamespace(name) else {
                throw LabError("'\(name)' is no name for a namespace: use letters, digits, - . and _.")
            }
            guard !usesDHCP || KernelRequirements.path(ofProgram: "busybox") != nil else {
                throw LabError(
                    "The DHCP client is missing: 'apt-get install busybox' installs it, and without --dhcp addresses are set as the API says."
                )
            }
            let isThere = access("\(Self.namespaces)/\(name)", F_OK) == 0
            if isThere, try await run(["ip", "-n", name, "link", "show", "dev", device]).exitCode == 0 {
                throw LabError("Namespace \(name) has a device \(device) already: --interface names another one.")
            }
            return .namespace(name, device: device, isMade: !isThere)
        case .tap: return .tap
        case .existing(let name):
            guard access("/sys/class/net/\(name)", F_OK) == 0 else {
                throw LabError("There is no device \(name) on this host: 'ip link' shows those that there are.")
            }
            if let use = await use(of: name) {
                throw LabError(
                    "The host itself uses device \(name) (\(use)), and would lose it: attach a device that is nothing but an instance's end."
                )
            }
            let mtu = Files.read("/sys/class/net/\(name)/mtu").flatMap { Int(String(decoding: $0.dropLast(), as: UTF8.self)) }
            return .existing(name, mtu: mtu)
        }
    }

    /// What the host does with a device; nil for one that is free to be taken.
    private func use(of name: String) async -> String? {
        if name == "lo" { return "the host's loopback" }
        if access("/sys/class/net/\(name)/master", F_OK) == 0 { return "it is a port of a bridge or bond" }
        if Files.list("/sys/class/net/\(name)").contains(where: { $0.hasPrefix("upper_") }) { return "there are devices on top of it" }
        let addresses = try? await run(["ip", "-oneline", "address", "show", "dev", name, "scope", "global"])
        if let words = addresses?.standardOutput.split(separator: " "), let index = words.firstIndex(where: { $0.hasPrefix("inet") }),
            index + 1 < words.count
        {
            return "it has the address \(words[index + 1])"
        }
        for family in ["-4", "-6"] {
            let routes = (try? await run(["ip", family, "route", "show", "dev", name]))?.standardOutput.split(separator: "\n") ?? []
            // Every device that is up has those of IPv6's own.
            let own = routes.first { !$0.hasPrefix("fe80::") && !$0.hasPrefix("multicast ") }
            if let words = own?.split(separator: " "), let destination = words.first { return "the route to \(destination) leads there" }
        }
        return nil
    }

    func make(_ port: AttachedPort, _ plug: AttachmentRequest.Plug) async throws {
        let tap = port.tapName
        switch (port.attachment.device, plug) {
        case (.namespace(let name, let device, let isMade), _):
            if isMade {
                try await mustRun(["ip", "netns", "add", name])
                try await mustRun(["ip", "-n", name, "link", "set", "lo", "up"])
            }
            try await batch(InstancePort.wiring(tap: tap, device: device, mac: port.mac, mtu: port.mtu, namespace: name))
            try await batch(["link set \(device) up"], namespace: name)
        case (.tap, .tap(let owner)):
            try await mustRun(["ip", "tuntap", "add", "dev", tap, "mode", "tap"] + (owner.map { ["user", $0] } ?? []))
            // The agent brings it up in its bridge: before, the host itself would listen to it.
            try await batch(["link set \(tap) mtu \(port.mtu)"])
        case (.tap, _): preconditionFailure("a tap was planned for something else")
        case (.existing(let name, _), _):
            // The agent knows a port's device by its name. The old one stays as an alternative name, by which everybody else may go on calling it.
            try await mustRun(["ip", "link", "set", name, "down"])
            do { try await mustRun(["ip", "link", "set", name, "name", tap]) } catch {
                // It is nobody's port's: what takes back the rest will not find it.
                _ = try? await run(["ip", "link", "set", name, "up"])
                throw error
            }
            try await batch(["link set \(tap) mtu \(port.mtu)"])
            try? await mustRun(["ip", "link", "property", "add", "dev", tap, "altname", name])
        }
    }

    /// Gives the device in the namespace its addresses.
    func configure(_ port: AttachedPort, usesDHCP: Bool) async throws {
        guard case .namespace(let name, let device, _) = port.attachment.device else { return }
        guard usesDHCP else {
            try await batch(PortAddress.configuration(port.addresses, device: device), namespace: name)
            return
        }
        var template = Array("/tmp/neutrino-dhcp-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Files.failure("make a directory in /tmp") }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { Files.remove(directory) }
        let script = "\(directory)/script"
        try Files.write(script, DHCPClient.script(resolverFile: nil))
        chmod(script, 0o755)
        let result = try await run(["ip", "netns", "exec", name] + DHCPClient.command(device: device, script: script))
        guard result.exitCode == 0 else {
            throw LabError("No lease came by DHCP; the client says:\n\(result.standardOutput)\(result.standardError)")
        }
    }

    /// What is not there is fine.
    func remove(_ device: Attachment.Device, portID: String) async {
        let tap = InstancePort.tapName(portID: portID)
        switch device {
        case .namespace(let name, _, let isMade):
            _ = try? await run(["ip", "link", "delete", tap])
            if isMade, await isUnused(name) { _ = try? await run(["ip", "netns", "delete", name]) }
        case .tap: _ = try? await run(["ip", "link", "delete", tap])
        case .existing(let name, let mtu):
            guard access("/sys/class/net/\(tap)", F_OK) == 0 else { return }
            _ = try? await run(["ip", "link", "property", "del", "dev", tap, "altname", name])
            _ = try? await run(["ip", "link", "set", tap, "nomaster", "down"])
            _ = try? await run(["ip", "link", "set", tap, "name", name])
            _ = try? await run(["ip", "link", "set", name] + (mtu.map { ["mtu", "\($0)"] } ?? []) + ["up"])
        }
    }

    /// Whether nobody else uses a namespace that was made for an attachment: it has no further device, and nothing runs in it.
    private func isUnused(_ name: String) async -> Bool {
        let links = try? await run(["ip", "-n", name, "-oneline", "link", "show"])
        let processes = try? await run(["ip", "netns", "pids", name])
        guard let links, let processes, links.exitCode == 0, processes.exitCode == 0 else { return false }
        // Of tunnels that the kernel puts into each namespace none is up.
        let others = links.standardOutput.split(separator: "\n").filter { $0.contains(",UP") && !$0.contains("LOOPBACK") }
        return others.isEmpty && processes.standardOutput.isEmpty
    }

    // MARK: Programs

    private func batch(_ lines: [String], namespace: String? = nil) async throws {
        try await mustRun(["ip"] + (namespace.map { ["-n", $0] } ?? []) + ["-batch", "-"], input: lines.joined(separator: "\n") + "\n")
    }

    private func mustRun(_ command: [String], input: String? = nil) async throws {
        let result = try await run(command, input: input)
        guard result.exitCode == 0 else { throw LabError("'\(command.joined(separator: " "))' failed: \(result.standardError)") }
    }

    private func run(_ command: [String], input: String? = nil) async throws -> ProgramResult {
        try await BackgroundThread.run { try runProgram(command, input: input, timeoutMilliseconds: Self.timeoutMilliseconds) }
    }

    private static func isGoodNamespace(_ name: String) -> Bool {
        let isPlain = name.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || [0x2D, 0x2E, 0x5F].contains(byte)
        }
        return isPlain && !name.hasPrefix(".") && !name.hasPrefix("-") && (1...200).contains(name.utf8.count)
    }
}

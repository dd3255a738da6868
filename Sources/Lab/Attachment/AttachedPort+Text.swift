import APISchema

extension AttachedPort {
    /// The words that give the tap to QEMU.
    public var qemuArguments: [String] {
        [
            "-netdev", "tap,id=net0,ifname=\(tapName),script=no,downscript=no", "-device",
            "virtio-net-pci,netdev=net0,mac=\(mac),host_mtu=\(mtu)",
        ]
    }

    /// An interface of a libvirt domain that uses the tap, and leaves it there.
    public var libvirtInterface: String {
        """
        <interface type='ethernet'>
          <mac address='\(mac)'/>
          <target dev='\(tapName)' managed='no'/>
          <model type='virtio'/>
          <mtu size='\(mtu)'/>
        </interface>
        """
    }

    /// What a person needs next.
    public var text: String {
        var lines = ["Port \(portID) on network \(networkName) is ACTIVE on \(host)."]
        lines += ["  MAC       \(mac)", "  MTU       \(mtu)", "  device    \(tapName)"]
        for address in addresses {
            lines.append("  address   \(address.address)/\(address.prefixLength)" + (address.gateway.map { ", gateway \($0)" } ?? ""))
        }
        lines += ["", "Next:"] + next.map { "  \($0)" } + ["  neutrino detach \(portID)"]
        return lines.map { $0 + "\n" }.joined()
    }

    private var next: [String] {
        switch attachment.device {
        case .namespace(let name, _, _):
            let target = addresses.lazy.compactMap(\.gateway).first ?? "ADDRESS"
            return ["ip netns exec \(name) ping \(target)"]
        case .tap:
            let xml = libvirtInterface.split(separator: "\n").map { "  \($0)" }
            return ["qemu-system-x86_64 … " + qemuArguments.joined(separator: " "), "or, in a libvirt domain:"] + xml
        case .existing(let name, _):
            return [
                "what is behind \(name) (now called \(tapName)) must use the MAC \(mac) and the addresses above, by DHCP or set by hand"
            ]
        }
    }

    /// The same for programs.
    public var json: JSONValue {
        var members: [String: JSONValue] = [
            "port_id": .string(portID), "network": .string(networkName), "host": .string(host), "mac_address": .string(mac),
            "mtu": .integer(mtu), "device": .string(tapName),
            "addresses": .array(
                addresses.map {
                    [
                        "address": .string($0.address), "prefix_length": .integer($0.prefixLength),
                        "gateway": $0.gateway.map { .string($0) } ?? .null,
                    ]
                }),
        ]
        if case .tap = attachment.device {
            members["qemu_arguments"] = .array(qemuArguments.map { .string($0) })
            members["libvirt_interface"] = .string(libvirtInterface)
        }
        return .object(members)
    }
}

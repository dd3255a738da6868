import HostModel
import KernelInterface
import NetworkModel

/// QoS rules of ports, in the bridges of the host: what is over a limit is dropped, and packets that leave an instance are marked.
///
///     tap… (from the instance) ──▶ prerouting   egress limits, DSCP mark
///                                      ⋮         (security groups: before, in prerouting, and between, in forward)
///     tap… (to the instance)   ◀── postrouting  ingress limits
///
/// A port is only elements: each has a token bucket of its own in the sets of limits, and names the chain of its mark. Rules and chains are
/// the same on every host, so no change of a port or policy touches another port's bucket, any rule, or any connection.
///
/// Every packet counts, ARP and neighbour discovery included: whatever is exempt is a way around the limit. A packet that segmentation
/// offload made of several is one packet, with the bytes of all.
enum PortQuality {
    static let tableName = "neutrino_qos"

    private static let egressBytes = "egress_bytes"
    private static let egressPackets = "egress_packets"
    private static let ingressBytes = "ingress_bytes"
    private static let ingressPackets = "ingress_packets"
    private static let marks = "egress_marks"

    /// Nil on a host without any rules.
    static func table(for view: HostView) -> FirewallTable? {
        let qualities = qualities(in: view)
        guard !qualities.isEmpty else { return nil }
        var table = FirewallTable(family: .bridge, name: tableName, chains: chains)
        for set in [egressBytes, ingressBytes] {
            // A set's own limit is only the pattern of its elements'.
            table.sets[set] = .init(type: "type ifname; limit rate over 1 bytes/second")
        }
        for set in [egressPackets, ingressPackets] { table.sets[set] = .init(type: "type ifname; limit rate over 1/second") }
        table.sets[marks] = .init(form: .map, type: "type ifname : verdict")
        for (device, quality) in qualities {
            add(quality.egress, of: device, to: &table, egressBytes, egressPackets)
            add(quality.ingress, of: device, to: &table, ingressBytes, ingressPackets)
            if let mark = quality.dscpMark, markRange.contains(mark) {
                table.sets[marks]?.elements.insert("\"\(device)\" : goto mark_\(mark)")
            }
        }
        return table
    }

    /// By device: of instances, and of routers and DHCP servers whose ports were given a policy.
    private static func qualities(in view: HostView) -> [String: HostQuality] {
        var qualities: [String: HostQuality] = [:]
        for port in view.ports.all { qualities[port.deviceName] = port.quality }
        for dhcp in view.dhcp.values { qualities[ServiceLink.outerName(dhcp.portID)] = dhcp.portQuality }
        for router in view.routers.values {
            for port in router.interfaces { qualities[ServiceLink.outerName(port.id)] = port.quality }
            for port in router.gatewayPorts { qualities[ServiceLink.outerName(port.id)] = port.quality }
        }
        return qualities
    }

    private static func add(
        _ limits: HostQuality.Limits, of device: String, to table: inout FirewallTable, _ bytes: String, _ packets: String
    ) {
        if let text = limits.bandwidth.flatMap({ TokenBucket.text($0) }) { table.sets[bytes]?.elements.insert("\"\(device)\" \(text)") }
        if let text = limits.packetRate.flatMap({ TokenBucket.text($0) }) { table.sets[packets]?.elements.insert("\"\(device)\" \(text)") }
    }

    // MARK: Chains

    /// Code points have six bits. Every one has its chain, so that a policy with a new one adds only elements.
    private static let markRange = 0...63

    /// A lookup in a set of limits matches what is over the device's limit.
    private static let chains: [String: FirewallTable.Chain] = {
        var chains: [String: FirewallTable.Chain] = [
            // After the spoofing filter (-300), whose refuse costs an instance nothing else, and before br_netfilter (0).
            "from_port": .init(
                hook: "type filter hook prerouting priority -290; policy accept;",
                rules: ["iifname @\(egressBytes) drop", "iifname @\(egressPackets) drop", "iifname vmap @\(marks)"]),
            // Behind the security groups, which forward: what they refuse is not the instance's traffic.
            "to_port": .init(
                hook: "type filter hook postrouting priority 0; policy accept;",
                rules: ["oifname @\(ingressBytes) drop", "oifname @\(ingressPackets) drop"]),
        ]
        for mark in markRange {
            chains["mark_\(mark)"] = .init(rules: ["ether type ip ip dscp set \(mark)", "ether type ip6 ip6 dscp set \(mark)"])
        }
        return chains
    }()
}

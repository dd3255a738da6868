import Addressing
import HostModel
import KernelInterface

/// Port forwardings as maps of protocol, external address and port.
///
/// | forwarding | map | element |
/// |---|---|---|
/// | one port to one port | ports | `6 . 203.0.113.50 . 80 : 10.0.0.5 . 8080` |
/// | many ports to one | ranges | `6 . 203.0.113.50 . 80-90 : 10.0.0.5 . 8080` |
/// | many ports to the same ports | spans | `6 . 203.0.113.50 . 80-90 : 10.0.0.5`: translation keeps the port |
/// | many ports to others | ports | one element per port |
///
/// The last has no shorter form: for a range of ports as the destination, nft's translation draws any port of it and knows no offset
/// (`NF_NAT_RANGE_PROTO_OFFSET` is iptables' alone).
struct RouterForwardings {
    /// Elements of all forwardings of a router to other ranges than their own. 16,384 elements load in about half a second.
    static let maximumExpandedPorts = 16_384

    static let rules = ["ports", "ranges", "spans"].map { "dnat ip to ip protocol . ip daddr . th dport map @forwarded_\($0)" }

    private(set) var sets: [String: FirewallTable.ElementSet]
    /// Sentences about forwardings that cannot be realised, sorted.
    private(set) var problems: [String] = []

    init(of router: HostRouter) {
        var ports: Set<String> = []
        var ranges: Set<String> = []
        var spans: Set<String> = []
        var expanded = 0
        for forwarding in Self.effective(router) {
            let key = "\(forwarding.protocolNumber) . \(forwarding.externalAddress) . "
            let (external, internalPorts) = (forwarding.externalPorts, forwarding.internalPorts)
            if external.count == 1 || internalPorts != external && internalPorts.count == external.count {
                if external.count > 1 { expanded += external.count }
                guard expanded <= Self.maximumExpandedPorts else {
                    problems.append(
                        "port forwarding \(forwarding.id) would be the one with which more than \(Self.maximumExpandedPorts) ports lead to others"
                    )
                    expanded -= external.count
                    continue
                }
                for (from, to) in zip(external, internalPorts) { ports.insert("\(key)\(from) : \(forwarding.internalAddress) . \(to)") }
            } else if internalPorts == external {
                spans.insert("\(key)\(external.lowerBound)-\(external.upperBound) : \(forwarding.internalAddress)")
            } else {
                ranges.insert(
                    "\(key)\(external.lowerBound)-\(external.upperBound) : \(forwarding.internalAddress) . \(internalPorts.lowerBound)")
            }
        }
        let key = "type inet_proto . ipv4_addr . inet_service"
        sets = [
            "forwarded_ports": .init(form: .map, type: "\(key) : ipv4_addr . inet_service", elements: ports),
            "forwarded_ranges": .init(form: .map, type: "\(key) : ipv4_addr . inet_service", flags: ["interval"], elements: ranges),
            "forwarded_spans": .init(form: .map, type: "\(key) : ipv4_addr", flags: ["interval"], elements: spans),
        ]
        problems.sort()
    }

    /// IPv4 forwardings of external ports that no earlier one has, by id: nft refuses elements that overlap, which the API does before.
    static func effective(_ router: HostRouter) -> [HostRouter.PortForwarding] {
        var taken: [Endpoint: [ClosedRange<Int>]] = [:]
        return router.portForwardings.sorted { $0.id < $1.id }.filter { forwarding in
            guard forwarding.externalAddress.version == .v4, forwarding.internalAddress.version == .v4,
                forwarding.internalPorts.count == 1 || forwarding.internalPorts.count == forwarding.externalPorts.count
            else { return false }
            let endpoint = Endpoint(protocolNumber: forwarding.protocolNumber, address: forwarding.externalAddress)
            if taken[endpoint]?.contains(where: forwarding.externalPorts.overlaps) == true { return false }
            taken[endpoint, default: []].append(forwarding.externalPorts)
            return true
        }
    }

    private struct Endpoint: Hashable {
        var protocolNumber: Int
        var address: IPAddress
    }
}

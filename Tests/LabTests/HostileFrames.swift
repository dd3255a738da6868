import Addressing
import Lab

/// An address of a test; a typing error ends it.
func address(_ text: String) -> IPAddress { IPAddress(text) ?? { preconditionFailure("'\(text)' is no address") }() }

/// What an instance must not send: each row in words, as frames, and the counter that says why none of them arrives.
///
/// Rows of neighbour discovery, ARP and the like are in `HostileAnnouncements.swift`.
struct HostileFrames {
    struct Row {
        var what: String
        /// As `nft list counters` names it.
        var counter: String
        /// For fragments that the kernel may keep by itself (Linux 6.18 does: they overlap, or the first one has not all headers), so that no rule
        /// sees a whole packet: the counter, as `nstat` names it, that counts instead.
        var kernelCounter: String?
        var marker: [UInt8]
        var frames: [[UInt8]]

        /// With a VLAN tag, which nobody may send, with port security or without.
        var isTagged: Bool { counter == "tagged" }
    }

    struct Peer {
        var mac: MACAddress
        var ipv4: IPAddress
        var ipv6: IPAddress
    }

    let own: Peer
    let victim: Peer
    let gateway = (ipv4: address("10.0.0.1"), ipv6: address("fd00:1::"))
    let allNodes = address("ff02::1")
    let unspecified = (ipv4: address("0.0.0.0"), ipv6: address("::"))
    /// Fragments of two rounds must not meet.
    var round: UInt16 = 1

    /// The port that the sender's groups allow, and one that they do not.
    static let allowedPort: UInt16 = 9
    static let refusedPort: UInt16 = 7

    var rows: [Row] {
        var rows: [Row] = []
        var number: UInt16 = 0
        func addRow(_ counter: String, _ kernelCounter: String?, _ what: String, _ frames: ([UInt8]) -> [[UInt8]]) {
            number += 1
            let marker = Self.marker(number)
            rows.append(Row(what: what, counter: counter, kernelCounter: kernelCounter, marker: marker, frames: frames(marker)))
        }
        func add(_ counter: String, _ what: String, _ frames: ([UInt8]) -> [[UInt8]]) { addRow(counter, nil, what, frames) }
        addSpoofedMACs(add)
        addSpoofedAddresses(add)
        addARP(add)
        addRARP(add)
        addNeighbourDiscovery(add)
        addNeighbourOptions(add)
        addDHCP(add)
        addRouterAdvertisements(add)
        addLinkLocalServers(add)
        addMulticastQueries(add)
        addTags(add)
        addOtherProtocols(add)
        addFragments(add)
        addHiddenFragments(addRow)
        return rows
    }

    typealias Add = (_ counter: String, _ what: String, _ frames: ([UInt8]) -> [[UInt8]]) -> Void
    typealias AddRow = (_ counter: String, _ kernelCounter: String?, _ what: String, _ frames: ([UInt8]) -> [[UInt8]]) -> Void

    /// Octets that nothing else has.
    static func marker(_ number: UInt16) -> [UInt8] { [0xC0, 0xFF, 0xEE] + FrameBuilder.bytes(number) + [0x5A, 0xA5, 0x3C] }

    /// What the sender may send.
    func allowed(_ marker: [UInt8]) -> [[UInt8]] {
        [udp4(marker), udp6(marker)]
    }

    // MARK: Rows

    private func addSpoofedMACs(_ add: Add) {
        let stranger = MACAddress(rawValue: 0x0200_0000_0042)
        add("spoofed_mac", "IPv4 from a neighbour's MAC") { [udp4($0, mac: victim.mac)] }
        add("spoofed_mac", "IPv4 from an unknown MAC") { [udp4($0, mac: stranger)] }
        add("spoofed_mac", "IPv6 from a neighbour's MAC") { [udp6($0, mac: victim.mac)] }
        add("spoofed_mac", "ARP from a neighbour's MAC") { [arp($0, 1, own.mac, own.ipv4, ether: victim.mac)] }
    }

    private func addSpoofedAddresses(_ add: Add) {
        let sources = [
            ("a neighbour", victim.ipv4), ("the gateway", gateway.ipv4), ("another network", address("10.99.0.5")),
            ("nobody", unspecified.ipv4), ("its loopback", address("127.0.0.1")),
        ]
        for (who, source) in sources { add("spoofed_ipv4", "IPv4 from the address of \(who)") { [udp4($0, source: source)] } }
        let linkLocal = address("fe80::42")
        for (who, source) in [
            ("a neighbour", victim.ipv6), ("the gateway", gateway.ipv6), ("another network", address("fd00:99::5")),
            ("somebody on the link", linkLocal), ("nobody", unspecified.ipv6),
        ] { add("spoofed_ipv6", "IPv6 from the address of \(who)") { [udp6($0, source: source)] } }
    }

    private func addDHCP(_ add: Add) {
        let offer: ([UInt8]) -> [UInt8] = { FrameBuilder.udp(67, 68, FrameBuilder.dhcp(operation: 2, client: victim.mac, marker: $0)) }
        add("dhcp_server", "a DHCP offer") { [ipv4(FrameBuilder.ProtocolNumber.udp, offer($0))] }
        add("dhcp_server", "a DHCP offer in fragments") { fragments4(offer($0), FrameBuilder.ProtocolNumber.udp, first: 8, 2) }
        add("dhcp_server", "a DHCPv6 advertisement") {
            [ipv6(FrameBuilder.ProtocolNumber.udp, FrameBuilder.udp(547, 546, [2, 0, 0, 1] + $0))]
        }
        let request: ([UInt8]) -> [UInt8] = { FrameBuilder.udp(68, 67, FrameBuilder.dhcp(operation: 1, client: victim.mac, marker: $0)) }
        add("spoofed_dhcp_client", "a DHCP request in a neighbour's name") {
            [ipv4(FrameBuilder.ProtocolNumber.udp, request($0), source: unspecified.ipv4, destination: address("255.255.255.255"))]
        }
        add("spoofed_dhcp_client", "a DHCP request in a neighbour's name from its own address") {
            [ipv4(FrameBuilder.ProtocolNumber.udp, request($0))]
        }
        add("spoofed_dhcp_client", "a DHCP request in fragments") {
            fragments4(request($0), FrameBuilder.ProtocolNumber.udp, first: 32, 4)
        }
        addDHCPFromOtherPorts(add)
    }

    /// No server or client looks at the port that a message comes from.
    private func addDHCPFromOtherPorts(_ add: Add) {
        let number = FrameBuilder.ProtocolNumber.udp
        func message(_ source: UInt16, _ destination: UInt16, _ operation: UInt8, _ marker: [UInt8]) -> [UInt8] {
            FrameBuilder.udp(source, destination, FrameBuilder.dhcp(operation: operation, client: victim.mac, marker: marker))
        }
        for (index, source) in [UInt16(5000), 67].enumerated() {
            add("spoofed_dhcp_client", "a DHCP request in a neighbour's name from UDP port \(source)") {
                [ipv4(number, message(source, 67, 1, $0))]
            }
            add("spoofed_dhcp_client", "a DHCP request in fragments from UDP port \(source)") {
                fragments4(message(source, 67, 1, $0), number, first: 32, UInt16(10 + index))
            }
        }
        add("dhcp_server", "a DHCP offer from UDP port 5000") { [ipv4(number, message(5000, 68, 2, $0))] }
        add("dhcp_server", "a DHCPv6 advertisement from UDP port 5000") { [ipv6(number, FrameBuilder.udp(5000, 546, [2, 0, 0, 1] + $0))] }
    }

    private func addRouterAdvertisements(_ add: Add) {
        let counter = "router_advertisement"
        add(counter, "a router advertisement") { [icmpv6(FrameBuilder.routerAdvertisement(marker: $0))] }
        add(counter, "a router advertisement behind extension headers") {
            [icmpv6(FrameBuilder.routerAdvertisement(marker: $0), optionsLength: 24)]
        }
    }

    private func addTags(_ add: Add) {
        let (inner, outer) = (FrameBuilder.EtherType.vlan, FrameBuilder.EtherType.serviceVLAN)
        let kinds: [(String, [(type: UInt16, id: UInt16)])] = [
            ("a frame tagged by 802.1Q", [(inner, 100)]), ("a frame with a priority tag", [(inner, 0)]),
            ("a frame tagged by 802.1ad", [(outer, 100)]), ("a frame tagged twice by 802.1Q", [(inner, 100), (inner, 200)]),
            ("a frame tagged by 802.1ad and 802.1Q", [(outer, 100), (inner, 200)]),
            ("a frame tagged by QinQ", [(FrameBuilder.EtherType.qinq, 100)]),
            ("a frame with a priority tag before another", [(inner, 0), (inner, 100)]),
        ]
        for (what, tags) in kinds {
            add("tagged", what) { marker in
                let packet = FrameBuilder.ipv4(
                    from: own.ipv4, to: victim.ipv4, FrameBuilder.ProtocolNumber.udp, FrameBuilder.udp(4000, Self.allowedPort, marker))
                return [FrameBuilder.ethernet(from: own.mac, tags: tags, type: FrameBuilder.EtherType.ipv4, packet)]
            }
        }
    }

    private func addOtherProtocols(_ add: Add) {
        let types: [(String, UInt16)] = [
            ("LLDP", 0x88CC), ("PPPoE", 0x8863), ("MPLS", 0x8847), ("an experimental protocol", 0x88B5),
            ("an 802.3 frame without a type", 16),
        ]
        for (what, type) in types {
            add("other_protocol", what) { [FrameBuilder.ethernet(from: own.mac, type: type, [0xAA, 0xAA, 3, 0, 0, 0, 0, 0] + $0)] }
        }
    }

    private func addFragments(_ add: Add) {
        let number = FrameBuilder.ProtocolNumber.udp
        let refused: ([UInt8]) -> [UInt8] = { FrameBuilder.udp(4000, Self.refusedPort, [UInt8](repeating: 0, count: 40) + $0) }
        add("refused_egress", "UDP to a port that no rule allows") { [ipv4(number, refused($0))] }
        add("refused_egress", "the same in tiny fragments") { fragments4(refused($0), number, first: 8, 6) }
        add("refused_egress", "the same over IPv6 in fragments") { marker in
            fragments6(FrameBuilder.checksummed(refused(marker), from: own.ipv6, to: victim.ipv6, number), next: number, first: 16, 7)
        }
    }

    /// IPv6 fragments of which the first one has not all headers. A kernel that puts them together shows them to the rules then; a newer one (RFC 8200,
    /// section 4.5) lets the first pass, which holds nothing, and keeps the others until their time is over.
    private func addHiddenFragments(_ add: AddRow) {
        let (udp, icmpv6) = (FrameBuilder.ProtocolNumber.udp, FrameBuilder.ProtocolNumber.icmpv6)
        let kernelCounter = "Ip6ReasmFails"
        add("spoofed_nd", kernelCounter, "an advertisement that the first fragment hides") { marker in
            hidden(FrameBuilder.neighbour(type: 136, target: victim.ipv6, mac: own.mac, marker: marker), icmpv6, 1)
        }
        add("dhcp_server", kernelCounter, "a DHCPv6 advertisement that the first fragment hides") {
            hidden(FrameBuilder.udp(547, 546, [2, 0, 0, 1] + $0), udp, 3)
        }
        add("router_advertisement", kernelCounter, "a router advertisement that the first fragment hides") {
            hidden(FrameBuilder.routerAdvertisement(marker: $0), icmpv6, 5)
        }
        let padding = [UInt8](repeating: 0, count: 40)
        add("refused_egress", kernelCounter, "UDP to a port that no rule allows and the first fragment hides") {
            hidden(FrameBuilder.udp(4000, Self.refusedPort, padding + $0), udp, 8, to: victim.ipv6)
        }
        add("refused_egress", "IpReasmFails", "IPv4 fragments that overlap, with different ports", overlapping)
    }

    /// The kernel drops all that it has of such a packet (Linux 4.19 and later).
    private func overlapping(_ marker: [UInt8]) -> [[UInt8]] {
        let (id, number, padding) = (round << 8 | 9, FrameBuilder.ProtocolNumber.udp, [UInt8](repeating: 0, count: 16))
        let allowed = FrameBuilder.udp(4000, Self.allowedPort, padding + marker)
        let refused = FrameBuilder.udp(4000, Self.refusedPort, padding + marker)
        return [
            fragment4(Array(refused[..<16]), number, (0, true, id)), fragment4(Array(allowed[..<24]), number, (0, true, id)),
            fragment4(Array(refused[24...]), number, (24, false, id)),
        ]
    }

    // MARK: Frames

    private func udp4(_ marker: [UInt8], mac: MACAddress? = nil, source: IPAddress? = nil) -> [UInt8] {
        ipv4(FrameBuilder.ProtocolNumber.udp, FrameBuilder.udp(4000, Self.allowedPort, marker), source: source, mac: mac)
    }

    private func udp6(_ marker: [UInt8], mac: MACAddress? = nil, source: IPAddress? = nil) -> [UInt8] {
        ipv6(FrameBuilder.ProtocolNumber.udp, FrameBuilder.udp(4000, Self.allowedPort, marker), source: source, mac: mac)
    }

    func ipv4(
        _ number: UInt8, _ payload: [UInt8], source: IPAddress? = nil, destination: IPAddress? = nil, mac: MACAddress? = nil
    ) -> [UInt8] {
        FrameBuilder.ethernet(
            from: mac ?? own.mac, type: FrameBuilder.EtherType.ipv4,
            FrameBuilder.ipv4(from: source ?? own.ipv4, to: destination ?? victim.ipv4, number, payload))
    }

    func ipv6(_ number: UInt8, _ message: [UInt8], source: IPAddress? = nil, mac: MACAddress? = nil) -> [UInt8] {
        let source = source ?? own.ipv6
        let whole = FrameBuilder.checksummed(message, from: source, to: allNodes, number)
        return frame6(FrameBuilder.ipv6(from: source, to: allNodes, number, whole), mac: mac)
    }

    /// To all nodes, behind destination options of so many octets.
    func icmpv6(_ message: [UInt8], source: IPAddress? = nil, optionsLength: Int = 0) -> [UInt8] {
        let number = FrameBuilder.ProtocolNumber.icmpv6
        guard optionsLength > 0 else { return ipv6(number, message, source: source) }
        let whole = FrameBuilder.checksummed(message, from: own.ipv6, to: allNodes, number)
        let options = FrameBuilder.destinationOptions(next: number, length: optionsLength)
        return frame6(FrameBuilder.ipv6(from: own.ipv6, to: allNodes, FrameBuilder.ProtocolNumber.ipv6Destination, options + whole))
    }

    func arp(
        _ marker: [UInt8], _ operation: UInt16, _ mac: MACAddress, _ sender: IPAddress, target: IPAddress? = nil, ether: MACAddress? = nil
    ) -> [UInt8] {
        let packet = FrameBuilder.arp(
            operation: operation, sender: (mac, sender), target: (.zero, target ?? victim.ipv4), marker: marker)
        return FrameBuilder.ethernet(from: ether ?? own.mac, type: FrameBuilder.EtherType.arp, packet)
    }

    func frame6(_ packet: [UInt8], mac: MACAddress? = nil) -> [UInt8] {
        FrameBuilder.ethernet(from: mac ?? own.mac, type: FrameBuilder.EtherType.ipv6, packet)
    }

    private func fragment4(_ payload: [UInt8], _ number: UInt8, _ fragment: (offset: Int, hasMore: Bool, id: UInt16)) -> [UInt8] {
        FrameBuilder.ethernet(
            from: own.mac, type: FrameBuilder.EtherType.ipv4,
            FrameBuilder.ipv4(from: own.ipv4, to: victim.ipv4, number, payload, fragment: fragment))
    }

    private func fragments4(_ payload: [UInt8], _ number: UInt8, first: Int, _ id: UInt16) -> [[UInt8]] {
        let id = round << 8 | id
        return [
            fragment4(Array(payload[..<first]), number, (0, true, id)), fragment4(Array(payload[first...]), number, (first, false, id)),
        ]
    }

    private func fragments6(_ payload: [UInt8], next: UInt8, first: Int, _ id: UInt16, to destination: IPAddress? = nil) -> [[UInt8]] {
        let id = UInt32(round) << 8 | UInt32(id)
        return [(0, true), (first, false)].map { offset, hasMore in
            let part = hasMore ? payload[..<first] : payload[first...]
            let header = FrameBuilder.fragmentHeader(next: next, offset: offset, hasMore: hasMore, id: id)
            return frame6(
                FrameBuilder.ipv6(
                    from: own.ipv6, to: destination ?? victim.ipv6, FrameBuilder.ProtocolNumber.ipv6Fragment, header + Array(part)))
        }
    }

    /// Two fragments, of which the first holds nothing but destination options.
    private func hidden(_ message: [UInt8], _ number: UInt8, _ id: UInt16, to destination: IPAddress? = nil) -> [[UInt8]] {
        let destination = destination ?? allNodes
        let whole = FrameBuilder.checksummed(message, from: own.ipv6, to: destination, number)
        let options = FrameBuilder.destinationOptions(next: number, length: 24)
        return fragments6(options + whole, next: FrameBuilder.ProtocolNumber.ipv6Destination, first: 24, id, to: destination)
    }
}

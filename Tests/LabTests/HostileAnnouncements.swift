import Addressing
import Lab

/// What an instance must not tell its neighbours and switches, and what it may.
extension HostileFrames {
    /// What looks like a row and is right: it arrives.
    var permitted: [(what: String, frames: ([UInt8]) -> [[UInt8]])] {
        [
            ("RARP for its own MAC, as QEMU announces a guest that moved", { [rarp($0, 3, own.mac)] }),
            (
                "a solicitation with a nonce and its own MAC",
                { [icmpv6(FrameBuilder.neighbour(type: 135, target: victim.ipv6, mac: nil, options: nonce + source(own.mac), marker: $0))] }
            ),
            (
                "an advertisement of its own address",
                { [icmpv6(FrameBuilder.neighbour(type: 136, target: own.ipv6, mac: own.mac, marker: $0))] }
            ),
            ("a router solicitation with its own MAC", { [icmpv6(FrameBuilder.routerSolicitation(mac: own.mac, marker: $0))] }),
        ]
    }

    // MARK: ARP and RARP

    func addARP(_ add: Add) {
        add("spoofed_arp", "an ARP answer for a neighbour") { [arp($0, 2, own.mac, victim.ipv4)] }
        add("spoofed_arp", "an ARP answer for the gateway") { [arp($0, 2, own.mac, gateway.ipv4)] }
        add("spoofed_arp", "gratuitous ARP for the gateway") { [arp($0, 1, own.mac, gateway.ipv4, target: gateway.ipv4)] }
        add("spoofed_arp", "an ARP request from a neighbour's address") { [arp($0, 1, own.mac, victim.ipv4, target: own.ipv4)] }
        add("spoofed_arp", "ARP that gives its address to a neighbour's MAC") { [arp($0, 2, victim.mac, own.ipv4)] }
        add("spoofed_arp", "a probe that denies a neighbour its address") {
            [arp($0, 1, own.mac, unspecified.ipv4, target: victim.ipv4)]
        }
    }

    func addRARP(_ add: Add) {
        add("spoofed_arp", "RARP with a neighbour's MAC") { [rarp($0, 3, victim.mac)] }
        add("spoofed_mac", "RARP from a neighbour's MAC") { [rarp($0, 3, victim.mac, ether: victim.mac)] }
        add("spoofed_arp", "a RARP answer") { [rarp($0, 4, own.mac)] }
    }

    private func rarp(_ marker: [UInt8], _ operation: UInt16, _ mac: MACAddress, ether: MACAddress? = nil) -> [UInt8] {
        let packet = FrameBuilder.arp(
            operation: operation, sender: (mac, unspecified.ipv4), target: (mac, unspecified.ipv4), marker: marker)
        return FrameBuilder.ethernet(from: ether ?? own.mac, type: FrameBuilder.EtherType.rarp, packet)
    }

    // MARK: Servers and routers

    /// Real ones send from addresses of the link, and hosts heed no router that does not (RFC 4861, section 6.1.2).
    func addLinkLocalServers(_ add: Add) {
        add("dhcp_server", "a DHCPv6 reply from its link-local address") {
            [ipv6(FrameBuilder.ProtocolNumber.udp, FrameBuilder.udp(547, 546, [7, 0, 0, 1] + $0), source: linkLocal)]
        }
        add("router_advertisement", "a router advertisement from its link-local address") {
            [icmpv6(FrameBuilder.routerAdvertisement(marker: $0), source: linkLocal)]
        }
    }

    private var linkLocal: IPAddress {
        IPPrefix("fe80::/64").flatMap { own.mac.eui64(in: $0) } ?? { preconditionFailure("fe80::/64 is a prefix of 64 bits") }()
    }

    // MARK: Neighbour discovery

    func addNeighbourDiscovery(_ add: Add) {
        for (who, target) in [("a neighbour", victim.ipv6), ("the gateway", gateway.ipv6), ("a link-local address", address("fe80::42"))] {
            add("spoofed_nd", "a neighbour advertisement for \(who)") { marker in
                [icmpv6(FrameBuilder.neighbour(type: 136, target: target, mac: own.mac, marker: marker))]
            }
        }
        add("spoofed_nd", "an advertisement that gives its address to a neighbour's MAC") { marker in
            [icmpv6(FrameBuilder.neighbour(type: 136, target: own.ipv6, mac: victim.mac, marker: marker))]
        }
        add("spoofed_nd", "a solicitation with a neighbour's MAC") { marker in
            [icmpv6(FrameBuilder.neighbour(type: 135, target: victim.ipv6, mac: victim.mac, marker: marker))]
        }
        // (With its own MAC, so that nothing but the target is wrong.)
        add("spoofed_nd", "a detection of duplicates that denies a neighbour its address") { marker in
            [icmpv6(FrameBuilder.neighbour(type: 135, target: victim.ipv6, mac: own.mac, marker: marker), source: unspecified.ipv6)]
        }
        add("spoofed_nd", "an advertisement behind extension headers") { marker in
            [icmpv6(FrameBuilder.neighbour(type: 136, target: victim.ipv6, mac: own.mac, marker: marker), optionsLength: 16)]
        }
        add("spoofed_nd", "a router solicitation with a neighbour's MAC") { marker in
            [icmpv6(FrameBuilder.routerSolicitation(mac: victim.mac, marker: marker))]
        }
    }

    /// The MAC that counts is not in the first option.
    func addNeighbourOptions(_ add: Add) {
        let experimental: [UInt8] = [254, 1, 0, 0, 0, 0, 0, 0]
        let target = FrameBuilder.linkLayerAddress(type: 2, victim.mac)
        add("spoofed_nd", "an advertisement with a neighbour's MAC behind another option") { marker in
            [icmpv6(FrameBuilder.neighbour(type: 136, target: own.ipv6, mac: nil, options: experimental + target, marker: marker))]
        }
        add("spoofed_nd", "an advertisement with a neighbour's MAC behind a nonce") { marker in
            [icmpv6(FrameBuilder.neighbour(type: 136, target: own.ipv6, mac: nil, options: nonce + target, marker: marker))]
        }
        for (what, first) in [("another option", experimental), ("a nonce", nonce), ("a nonce and another option", nonce + experimental)] {
            add("spoofed_nd", "a solicitation with a neighbour's MAC behind \(what)") { marker in
                let options = first + source(victim.mac)
                return [icmpv6(FrameBuilder.neighbour(type: 135, target: victim.ipv6, mac: nil, options: options, marker: marker))]
            }
        }
    }

    private var nonce: [UInt8] { [14, 1, 1, 2, 3, 4, 5, 6] }

    private func source(_ mac: MACAddress) -> [UInt8] { FrameBuilder.linkLayerAddress(type: 1, mac) }

    // MARK: Multicast

    /// Who asks for members becomes the querier of switches that snoop.
    func addMulticastQueries(_ add: Add) {
        let counter = "multicast_query"
        add(counter, "an IGMP query") { marker in
            [ipv4(FrameBuilder.ProtocolNumber.igmp, FrameBuilder.igmpQuery(marker: marker), destination: address("224.0.0.1"))]
        }
        add(counter, "an MLD query") { [icmpv6(FrameBuilder.mldQuery(marker: $0))] }
        add(counter, "an MLD query with a router alert") { marker in
            let number = FrameBuilder.ProtocolNumber.icmpv6
            let message = FrameBuilder.checksummed(FrameBuilder.mldQuery(marker: marker), from: own.ipv6, to: allNodes, number)
            let payload = FrameBuilder.routerAlert(next: number) + message
            return [frame6(FrameBuilder.ipv6(from: own.ipv6, to: allNodes, FrameBuilder.ProtocolNumber.ipv6HopByHop, payload))]
        }
        addMulticastRouters(add)
    }

    /// Who says that it routes multicast gets all of it from switches that snoop.
    private func addMulticastRouters(_ add: Add) {
        let counter = "multicast_router"
        let pim: UInt8 = 103
        add(counter, "an advertisement of a multicast router") { marker in
            [ipv4(FrameBuilder.ProtocolNumber.igmp, [0x30, 20, 0, 0, 0, 125, 0, 2] + marker, destination: address("224.0.0.106"))]
        }
        add(counter, "a PIM hello") { [ipv4(pim, [0x20, 0, 0, 0] + $0, destination: address("224.0.0.13"))] }
        add(counter, "an advertisement of a multicast router over IPv6") { [icmpv6([151, 20, 0, 0, 0, 125, 0, 2] + $0)] }
        add(counter, "a PIM hello over IPv6") { [ipv6(pim, [0x20, 0, 0, 0] + $0)] }
    }
}

import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

/// Frames that nobody may send.
extension SecurityGroupConverterTests {
    @Test("Tagged frames are dropped before anything else is asked, from every instance, tunnel and physical interface, trusted or not")
    func tags() throws {
        let flat = id(2)
        let table = try bridgeTable(
            view(
                network(), network(.flat(physicalNetwork: "physnet1"), id: flat), .port(port(7, isSecure: false)),
                .port(port(8, isSecure: false, network: flat))))
        #expect(table.chains["prerouting"]?.rules.first == "ether type { 8021q, 8021ad, 0x9100 } jump tagged")
        let rules = try #require(table.chains["tagged"]).rules
        for devices in ["@uplinks", "\"tap*\"", "\"vxlan-*\""] { #expect(rules.contains("iifname \(devices) \(DropReason.tagged.drop)")) }
        #expect(table.sets["uplinks"]?.elements == ["\"eth9\""])
        #expect(rules.filter { !$0.hasSuffix("drop") } == ["iifname @uplinks vlan id 0 vlan type { ip, ip6, arp } return"])
    }

    @Test("A VLAN network's uplink is its sub-interface, and the interface below only while a flat network has it")
    func uplinks() throws {
        var tagging = settings
        tagging.hasVLANDevices = true
        let vlan = network(.vlan(physicalNetwork: "physnet1", id: 100))
        func elements(_ items: HostItem...) throws -> Set<String> {
            let tables = tables(view(items), tagging)
            return try #require(tables.first { $0.family == .bridge && $0.name == "neutrino" }?.sets["uplinks"]).elements
        }
        #expect(try elements(vlan) == ["\"eth9.100\""])
        #expect(try elements(vlan, network(.flat(physicalNetwork: "physnet1"), id: id(2))) == ["\"eth9\"", "\"eth9.100\""])
        #expect(try elements(network()) == [])
    }

    @Test("Queries for members of multicast groups are dropped, over IPv4 and IPv6, and over IPv6 also where fragments are whole")
    func multicastQueries() throws {
        let table = try bridgeTable(view(network(), .port(port(7))))
        let drop = DropReason.multicastQuery.drop
        #expect(table.chains["antispoof_ipv4"]?.rules.contains("ip protocol { 2, 103 } jump antispoof_multicast") == true)
        #expect(table.chains["antispoof_multicast"]?.rules.contains("igmp type membership-query \(drop)") == true)
        #expect(table.chains["announcements"]?.rules.contains("icmpv6 type mld-listener-query \(drop)") == true)
        for chain in ["antispoof_ipv6", "from_ipv6"] {
            #expect(table.chains[chain]?.rules.first == "meta l4proto { 17, 58, 103 } jump announcements")
        }
    }

    @Test("Options of neighbour discovery are looked at from the first one on, so that none can hide the MAC that counts")
    func neighbourOptions() throws {
        let table = try bridgeTable(view(network(), .port(port(7))))
        let drop = DropReason.spoofedNeighbourDiscovery.drop
        // A target link-layer address or nothing.
        #expect(table.chains["advertisement"]?.rules.first == "@th,192,16 != 0x0201 \(drop)")
        // A source link-layer address or a nonce, and behind the nonce nothing else than the former.
        let solicitation = try #require(table.chains["solicitation"]).rules
        #expect(solicitation.first == "@th,192,16 != { 0x0101, 0x0e01 } \(drop)")
        #expect(solicitation.contains("@th,192,16 0x0e01 @th,256,16 != 0x0101 \(drop)"))
        for (chain, offset) in [("advertisement", 208), ("solicitation", 208), ("solicitation", 272), ("router_solicitation", 80)] {
            let rules = try #require(table.chains[chain]).rules
            #expect(rules.contains { $0.hasSuffix("iifname . @th,\(offset),48 != @port_hardware \(drop)") }, "\(chain) at \(offset)")
        }
    }

    @Test("RARP passes as a request for the port's own MACs, and is dropped otherwise")
    func reverseARP() throws {
        let table = try bridgeTable(view(network(), .securityGroup(defaultGroup(groupA)), .port(port(7, groups: [groupA]))))
        #expect(table.chains["antispoof"]?.rules.contains("ether type 0x8035 goto antispoof_rarp") == true)
        #expect(
            table.chains["antispoof_rarp"]?.rules == [
                "iifname . ether saddr != @port_macs \(DropReason.spoofedMAC.drop)",
                "@nh,48,16 3 iifname . @nh,64,48 @port_hardware iifname . @nh,144,48 @port_hardware accept",
                DropReason.spoofedARP.drop,
            ])
        #expect(table.chains["from_any"]?.rules.contains("ether type { arp, 0x8035 } goto deliver") == true)
        #expect(table.chains["to_any"]?.rules.contains("ether type { arp, 0x8035 } accept") == true)
    }
}

import Converters
import HostModel
import KernelInterface
import Testing

@Suite("Announcements of the address that marks a master")
struct AnnouncementFilterTests {
    private func table(_ items: HostItem...) -> FirewallTable? {
        HostConverter.convert(view(items), settings).configuration.own.firewall.first { $0.name == "neutrino_announcements" }
    }

    @Test("A host with HA routers knows their devices on HA networks, and one without has no table for them")
    func devices() throws {
        #expect(table(network(), .router(standaloneRouter())) == nil)
        let found = try #require(table(network(id: id(4)), .router(redundantRouter(member: 1))))
        #expect(found.sets["ha_devices"]?.elements == ["\"\(tap(21))\""])
    }

    @Test("Nobody hears of a marking address, and everybody of the members' own", .enabled(if: isRoot, needsRoot))
    func packets() throws {
        let host = try TestHost()
        defer { host.remove() }
        let wire = try host.namespace("switch")
        let members = [try host.namespace("one"), try host.namespace("two")]
        let bridge = L2Names.bridge(id(4))
        try host.expect("ip link add \(bridge) type bridge stp_state 0 forward_delay 0 && ip link set \(bridge) up", in: wire)
        for (index, member) in members.enumerated() {
            try host.expect(
                """
                ip link add \(tap(21 + index)) master \(bridge) type veth peer name ha netns \(member) && ip link set \(tap(21 + index)) up
                """, in: wire)
            let number = index + 1
            try host.expect(
                """
                ip address add 169.254.192.\(number)/18 dev ha && ip address add 169.254.0.\(number)/24 dev ha && ip link set ha up
                """, in: member)
        }
        func asks(_ source: String, _ target: String) throws -> Bool {
            try host.run("ip neigh flush dev ha; ping -c 1 -W 1 -I \(source) \(target)", in: members[0]).status == 0
        }
        let before = (try asks("169.254.0.1", "169.254.0.2"), try asks("169.254.192.1", "169.254.192.2"))
        #expect(before == (true, true))
        let filter = try #require(table(network(id: id(4)), .router(redundantRouter(member: 1))))
        let script = try host.write("filter.nft", firewallScript([filter]))
        try host.expect("nft -f \(script)", in: wire)
        try host.run("ip neigh flush dev ha", in: members[1])
        let after = (try asks("169.254.0.1", "169.254.0.2"), try asks("169.254.192.1", "169.254.192.2"))
        #expect(after == (false, true))
    }
}

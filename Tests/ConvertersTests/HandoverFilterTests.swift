import Testing

@testable import Converters

@Suite("Handovers with real frames", .enabled(if: isRoot, needsRoot))
struct HandoverFilterTests {
    /// Sends a packet of VRRP's protocol, and answers how many have arrived in all: by when a ping behind it is answered.
    private func send(from sender: String, to receiver: String, _ test: TestHost) throws -> Int? {
        let text = try test.run(
            """
            echo advertisement | ip netns exec \(sender) socat -u - IP4-SENDTO:10.0.0.2:112
            ip netns exec \(sender) ping -n -c 1 -W 5 10.0.0.2 > /dev/null
            ip netns exec \(receiver) nft list counter ip test seen
            """
        ).text
        let words = text.split(whereSeparator: \.isWhitespace)
        return words.firstIndex(of: "packets").flatMap { Int(words[$0 + 1]) }
    }

    @Test("A device hears no VRRP of others for as long as it was made deaf, and everything else; one that is mute is not heard")
    func deaf() throws {
        let test = try TestHost()
        defer { test.remove() }
        let host = try test.namespace("host")
        let members = try ["one", "two"].map { try test.namespace($0) }
        try test.expect("ip link add name brq0 type bridge && ip link set dev brq0 up", in: host)
        for (number, member) in members.enumerated() {
            try test.expect(
                """
                ip -n \(host) link add tap\(number) type veth peer name ha netns \(member)
                ip -n \(host) link set dev tap\(number) master brq0 up
                ip -n \(member) link set dev ha up
                ip -n \(member) address add 10.0.0.\(number + 1)/24 dev ha
                ip netns exec \(member) nft 'table ip test { counter seen { }
                    chain input { type filter hook input priority 0; ip protocol 112 counter name seen drop; }; }'
                """)
        }
        try test.expect("ping -n -c 1 -W 5 10.0.0.2", in: members[0])
        #expect(try send(from: members[0], to: members[1], test) == 1)
        let script = try test.write("deaf.nft", HandoverFilter.script([.toDevice("tap1"): 2000]))
        try test.expect("nft -f \(script) && nft -f \(script)", in: host)
        #expect(try send(from: members[0], to: members[1], test) == 1)
        try test.expect("ping -n -c 1 -W 1 10.0.0.2", in: members[0])
        // By itself, in the kernel's time.
        try test.expect(
            "for try in $(seq 100); do nft list set bridge vrrp_handover deaf | grep -q tap1 || exit 0; sleep 0.1; done; exit 1", in: host)
        #expect(try send(from: members[0], to: members[1], test) == 2)
        // The other way round, what the device says itself.
        let mute = try test.write("mute.nft", HandoverFilter.script([.fromDevice("tap0"): 60_000, .toDevice("tap9"): 1000]))
        try test.expect("nft -f \(mute)", in: host)
        #expect(try send(from: members[0], to: members[1], test) == 2)
        try test.expect("ping -n -c 1 -W 5 10.0.0.1", in: members[1])
    }
}

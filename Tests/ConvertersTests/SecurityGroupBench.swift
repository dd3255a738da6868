import Foundation
import HostModel
import KernelInterface
import Testing

@testable import Converters

extension SecurityGroupPacketTests {
    /// A bridge `brq…` in a namespace, to which instances are attached as the agent does it.
    struct Bench {
        let test: TestHost
        let host: String
        let bridge = L2Names.bridge(networkID)

        init() throws {
            test = try TestHost()
            host = try test.namespace("host")
            try test.expect(
                """
                ip link add name \(bridge) type bridge stp_state 0 forward_delay 0 mcast_snooping 0
                ip link set dev \(bridge) up
                echo 1 > /proc/sys/net/ipv6/conf/\(bridge)/disable_ipv6
                echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
                echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables
                """, in: host)
        }

        /// A namespace with device `eth` (MAC and address 10.0.0.number of the port with that number) behind `tap…` on the bridge.
        func instance(_ number: Int) throws -> String {
            let name = try test.namespace("i\(number)")
            try test.expect(
                """
                ip -n \(host) link add \(tap(number)) type veth peer name eth address \(mac(number)) netns \(name)
                ip -n \(host) link set dev \(tap(number)) master \(bridge) up
                ip -n \(name) link set dev eth up
                ip -n \(name) addr add 10.0.0.\(number)/24 dev eth
                """)
            return name
        }

        func load(_ items: [HostItem], trusted: [Int] = []) throws {
            var links: [String: Link] = [:]
            for number in trusted {
                links[tap(number)] = Link(name: tap(number), kind: .veth(peer: "ns-x", peerNamespace: nil), bridge: bridge)
            }
            let tables = SecurityGroupConverter.convert(view(items), links: links, settings)
            try test.expect("nft -f \(try test.write("rules.nft", firewallScript(tables)))", in: host)
        }

        func pings(_ from: String, _ address: String, source: String? = nil) throws -> Bool {
            try test.run("ping -n -c 2 -i 0.2 -W 1 \(source.map { "-I \($0)" } ?? "") \(address)", in: from).status == 0
        }
    }
}

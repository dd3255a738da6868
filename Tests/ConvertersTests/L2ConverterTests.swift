import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite("Layer 2")
struct L2ConverterTests {
    let bridge = "brq00000001-00"
    let tunnel = "vxlan-77"

    @Test("A VXLAN network is a bridge and a tunnel that learns, with a flooding entry per other host")
    func vxlan() throws {
        let pieces = L2Converter.convert(view(network(remotes: [ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.1")])), settings)
        let mac = try #require(pieces.links[bridge]?.mac)
        #expect(pieces.links[bridge] == Link(name: bridge, kind: .bridge, mac: mac, mtu: 1450, alias: "neutrino:bridge"))
        #expect(
            pieces.links[tunnel]
                == Link(
                    name: tunnel, kind: .vxlan(vni: 77, local: ip("192.0.2.1"), port: 4789, isLearning: true), mtu: 1450, bridge: bridge,
                    bridgePort: BridgePortOptions(suppressesNeighbours: true, learns: true), alias: "neutrino:vxlan"))
        #expect(
            pieces.forwarding == [
                .tunnel(mac: .zero, link: tunnel, remote: ip("192.0.2.2")), .tunnel(mac: .zero, link: tunnel, remote: ip("192.0.2.3")),
            ])
        #expect(pieces.problems.isEmpty)
    }

    @Test("Every bridge has a MAC: the same after each start, another one for each network and on each host")
    func bridgeMACs() throws {
        var macs: Set<MACAddress> = []
        for last in 1...3 {
            var own = settings
            own.tunnelAddress = ip("192.0.2.\(last)")
            for number in [1, 2] {
                let view = view(network(id: id(number)))
                let name = L2Names.bridge(id(number))
                let mac = try #require(L2Converter.convert(view, own).links[name]?.mac)
                #expect(mac == L2Converter.convert(view, own).links[name]?.mac)
                // Locally administered, of a single device.
                #expect(mac.octets[0] & 3 == 2)
                macs.insert(mac)
            }
        }
        #expect(macs.count == 6)
    }

    @Test("A port on another host is known to the tunnel, to the bridge and to ARP suppression")
    func remotePort() {
        let remote = HostRemotePort(
            portID: id(9), networkID: networkID, mac: mac(9), addresses: [ip("10.0.0.9"), ip("2001:db8::9")], endpoint: ip("192.0.2.2"))
        let pieces = L2Converter.convert(view(network(), .remotePort(remote)), settings)
        #expect(
            pieces.forwarding == [
                .tunnel(mac: mac(9), link: tunnel, remote: ip("192.0.2.2")), .bridgePort(mac: mac(9), link: tunnel),
            ])
        #expect(
            pieces.neighbours == [
                Neighbour(address: ip("10.0.0.9"), mac: mac(9), link: bridge),
                Neighbour(address: ip("2001:db8::9"), mac: mac(9), link: bridge),
            ])
        // A bridge with IPv6 neighbours has IPv6, and is silent all the same.
        for (name, value) in ["disable_ipv6": "0", "addr_gen_mode": "1", "accept_ra": "0", "forwarding": "0"] {
            #expect(pieces.sysctls["net/ipv6/conf/\(bridge)/\(name)"] == value)
        }
        #expect(pieces.sysctls["net/ipv6/conf/\(tunnel)/disable_ipv6"] == "1")
    }

    @Test("A network whose MTU is too small for IPv6 has nothing of it: the kernel would refuse it")
    func smallMTU() {
        let remote = HostRemotePort(
            portID: id(9), networkID: networkID, mac: mac(9), addresses: [ip("10.0.0.9"), ip("2001:db8::9")], endpoint: ip("192.0.2.2"))
        func pieces(_ mtu: Int) -> L2Converter.Pieces {
            L2Converter.convert(
                view(.network(HostNetwork(id: networkID, carrier: .vxlan(vni: 77), mtu: mtu, remoteEndpoints: [])), .remotePort(remote)),
                settings)
        }
        #expect(pieces(1279).sysctls.keys.allSatisfy { $0.hasPrefix("net/bridge/") })
        #expect(pieces(1279).neighbours.map(\.address) == [ip("10.0.0.9")])
        #expect(pieces(1280).neighbours.count == 2)
    }

    @Test("The device of a port that is administratively down is in no bridge and is down: the host would listen to it")
    func unwiredDevice() throws {
        let pieces = L2Converter.convert(
            view(network(), .port(port(7)), .port(port(8, isUp: false)), .port(port(9, network: id(2)))), settings)
        #expect(try #require(pieces.links[tap(7)]).isUp)
        for number in [8, 9] {
            #expect(pieces.links[tap(number)] == Link(name: tap(number), kind: .foreign, mtu: number == 8 ? 1450 : nil, isUp: false))
        }
    }

    @Test("A port of a network that is not on this host, or that has no tunnel, leaves no entry")
    func remotePortElsewhere() {
        let remote = HostRemotePort(
            portID: id(9), networkID: networkID, mac: mac(9), addresses: [ip("10.0.0.9")], endpoint: ip("192.0.2.2"))
        let absent = L2Converter.convert(view(.remotePort(remote)), settings)
        let local = L2Converter.convert(view(network(.local), .remotePort(remote)), settings)
        #expect(absent == L2Converter.Pieces())
        #expect(local.forwarding.isEmpty && local.neighbours.isEmpty)
    }

    @Test("The host is silent on its bridges and tunnels, and bridged packets pass connection tracking")
    func sysctls() {
        let pieces = L2Converter.convert(view(network()), settings)
        #expect(
            pieces.sysctls == [
                "net/ipv6/conf/\(bridge)/disable_ipv6": "1", "net/ipv6/conf/\(tunnel)/disable_ipv6": "1",
                "net/bridge/bridge-nf-call-iptables": "1", "net/bridge/bridge-nf-call-ip6tables": "1",
            ])
        var native = settings
        native.hasBridgeConntrack = true
        #expect(L2Converter.convert(view(network()), native).sysctls.keys.allSatisfy { !$0.hasPrefix("net/bridge") })
    }

    @Test("A flat network takes the mapped interface as a port of its bridge and leaves its MTU alone")
    func flat() {
        let pieces = L2Converter.convert(view(network(.flat(physicalNetwork: "physnet1"))), settings)
        #expect(pieces.links["eth9"] == Link(name: "eth9", kind: .foreign, bridge: bridge))
        #expect(pieces.links.count == 2)
    }

    @Test("A local network is a bridge and nothing else")
    func local() {
        #expect(L2Converter.convert(view(network(.local)), settings).links.keys.sorted() == [bridge])
    }

    @Test("What cannot be realised is said in a sentence and leaves everything else alone")
    func problems() {
        var poor = settings
        poor.tunnelAddress = nil
        poor.hasVLANDevices = false
        let pieces = L2Converter.convert(
            view(
                network(.vlan(physicalNetwork: "physnet1", id: 5), id: id(2)), network(.flat(physicalNetwork: "other"), id: id(3)),
                network(.flat(physicalNetwork: "physnet1"), id: id(4)), network(.flat(physicalNetwork: "physnet1"), id: id(5)),
                network(id: id(6)), .port(port(9, network: id(2)))), poor)
        #expect(pieces.problems.count == 4)
        #expect(pieces.problems[0].hasSuffix("needs 802.1Q devices, which this host's kernel has not (modprobe 8021q)"))
        #expect(pieces.unrealised == [id(2), id(3), id(5), id(6)])
        #expect(
            pieces.links.keys.sorted() == [
                "brq00000002-00", "brq00000003-00", "brq00000004-00", "brq00000005-00", "brq00000006-00", "eth9", tap(9),
            ])
        #expect(pieces.links["eth9"]?.bridge == "brq00000004-00")
    }

    @Test("A VLAN network is a bridge and an 802.1Q sub-interface of the mapped interface, beside a flat network and other VLANs")
    func vlan() {
        let pieces = L2Converter.convert(
            view(
                network(.vlan(physicalNetwork: "physnet1", id: 5)), network(.vlan(physicalNetwork: "physnet1", id: 6), id: id(2)),
                network(.flat(physicalNetwork: "physnet1"), id: id(3)), network(.vlan(physicalNetwork: "physnet1", id: 6), id: id(4))),
            settings)
        #expect(
            pieces.links["eth9.5"]
                == Link(name: "eth9.5", kind: .vlan(parent: "eth9", id: 5), mtu: 1450, bridge: bridge, alias: "neutrino:vlan"))
        #expect(pieces.links["eth9.6"]?.bridge == "brq00000002-00")
        #expect(pieces.links["eth9"] == Link(name: "eth9", kind: .foreign, bridge: "brq00000003-00"))
        #expect(pieces.sysctls["net/ipv6/conf/eth9.5/disable_ipv6"] == "1")
        #expect(pieces.problems == ["network \(id(4)): VLAN 6 of interface eth9 already carries another network"])
        #expect(pieces.unrealised == [id(4)])
        let alone = L2Converter.convert(view(network(.vlan(physicalNetwork: "physnet1", id: 5))), settings)
        #expect(alone.links["eth9"] == Link(name: "eth9", kind: .foreign))
    }

    @Test("Every physical network has an interface of its own")
    func physicalNetworks() {
        var rich = settings
        rich.physicalNetworks = ["physnet1": "eth1", "physnet2": "eth2"]
        let pieces = L2Converter.convert(
            view(
                network(.flat(physicalNetwork: "physnet1")), network(.flat(physicalNetwork: "physnet2"), id: id(2)),
                network(.vlan(physicalNetwork: "physnet1", id: 7), id: id(3)), network(.vlan(physicalNetwork: "physnet2", id: 7), id: id(4))
            ),
            rich)
        #expect(pieces.problems.isEmpty)
        #expect(pieces.links["eth1"]?.bridge == bridge && pieces.links["eth2"]?.bridge == "brq00000002-00")
        #expect(pieces.links["eth1.7"]?.bridge == "brq00000003-00" && pieces.links["eth2.7"]?.bridge == "brq00000004-00")
    }

    @Test("A sub-interface has the name that Neutron gives it, or a stable one that fits the kernel")
    func vlanNames() {
        #expect(L2Names.vlan("eth1", 100) == "eth1.100")
        #expect(L2Names.vlan("enp65s0f0n", 4094) == "enp65s0f0n.4094")
        let long = L2Names.vlan("enp65s0f0np1", 4094)
        #expect(long.utf8.count == 15 && long.hasPrefix("enp6") && long.hasSuffix(".4094"))
        #expect(long != L2Names.vlan("enp65s0f1np1", 4094) && long == L2Names.vlan("enp65s0f0np1", 4094))
    }

    @Test("An instance's device becomes a port of the bridge with the network's MTU, unless its port is administratively down")
    func localPorts() {
        let pieces = L2Converter.convert(view(network(), .port(port(7)), .port(port(8, isUp: false))), settings)
        #expect(pieces.links[tap(7)] == Link(name: tap(7), kind: .foreign, mtu: 1450, bridge: bridge))
        #expect(pieces.links[tap(8)] == Link(name: tap(8), kind: .foreign, mtu: 1450, isUp: false, bridge: nil))
    }

    @Test("Where somebody announces addresses by gratuitous ARP, the tunnel does not suppress it")
    func announcements() {
        func suppresses(_ item: HostItem) -> Bool? {
            L2Converter.convert(view(network(), item), settings).links[tunnel]?.bridgePort.suppressesNeighbours
        }
        let routerPort = HostRouter.RouterPort(id: id(20), networkID: networkID, mac: mac(20), addresses: [], mtu: 1450)
        var elsewhere = routerPort
        elsewhere.networkID = id(99)
        let redundancy = HostRouter.Redundancy(virtualRouterID: 1, priority: 200, port: elsewhere)
        #expect(suppresses(.port(port(7))) == true)
        #expect(suppresses(.router(HostRouter(id: id(30), interfaces: [routerPort]))) == true)
        #expect(suppresses(.router(HostRouter(id: id(30), redundancy: redundancy, interfaces: [routerPort]))) == false)
        #expect(suppresses(.router(HostRouter(id: id(30), gateway: routerPort))) == false)
        #expect(suppresses(.port(port(7, isSecure: false))) == false)
        #expect(suppresses(.port(port(7, pairs: [.init(prefix: prefix("10.0.0.50/32"), mac: mac(7))]))) == false)
    }
}

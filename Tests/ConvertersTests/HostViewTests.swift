import Addressing
import HostModel
import NetworkModel
import Testing

@testable import Converters

@Suite("Host view")
struct HostViewTests {
    /// A small generator with a seed, so that a failure can be repeated.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    @Test("After any puts and drops the view equals the one built from what is left", arguments: 1...20)
    func incremental(seed: Int) {
        var generator = Generator(state: UInt64(seed))
        var held: [HostItemKey: HostItem] = [:]
        var incremental = HostView()
        for _ in 0..<300 {
            let item = randomItem(&generator)
            if Bool.random(using: &generator) {
                held[item.key] = item
                incremental.put(item)
            } else {
                held[item.key] = nil
                incremental.drop(item.key)
            }
        }
        #expect(incremental == view(Array(held.values)))
        for key in held.keys { incremental.drop(key) }
        #expect(incremental.isEmpty)
    }

    @Test("A reset forgets everything")
    func reset() {
        var view = view(network(), .port(port(3)), member(id(4), port: 5))
        view.reset()
        #expect(view.isEmpty)
    }

    @Test("The same view and settings give the same configuration, whatever the order in which items came", arguments: 1...5)
    func order(seed: Int) {
        var generator = Generator(state: UInt64(seed))
        let items = (0..<60).map { _ in randomItem(&generator) }
        let unique = Dictionary(items.map { ($0.key, $0) }, uniquingKeysWith: { _, last in last }).values
        let forward = HostConverter.convert(view(Array(unique)), settings)
        let backward = HostConverter.convert(view(unique.reversed()), settings)
        let isSame = forward == backward
        #expect(isSame)
    }

    private func randomItem(_ generator: inout Generator) -> HostItem {
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        let networkNumber = number(1...3)
        let network = id(networkNumber)
        let item = number(10...15)
        switch number(0...6) {
        case 0: return .network(HostNetwork(id: network, carrier: .vxlan(vni: networkNumber * 10 + number(1...9)), mtu: 1450))
        case 1:
            return .remotePort(
                HostRemotePort(
                    portID: id(item), networkID: network, mac: mac(item), addresses: [ip("10.0.0.\(item)")], endpoint: ip("192.0.2.9")))
        case 2: return .port(port(item, groups: [id(number(20...22)), id(number(20...22))], network: network))
        case 3: return .securityGroup(defaultGroup(id(number(20...22))))
        case 4: return member(id(number(20...22)), port: item)
        case 5:
            return .reservation(
                HostReservation(
                    portID: id(item), networkID: network, mac: mac(item), addresses: [ip("10.0.0.\(item)")], hostname: "h", revision: 1))
        default:
            return .dhcp(
                HostDHCP(
                    networkID: network, portID: id(50 + networkNumber), portMAC: mac(50), portAddresses: [interfaceAddress("10.0.0.2/24")],
                    portRevision: 1,
                    mtu: 1450, subnets: [.init(id: id(60), prefix: prefix("10.0.0.0/24"), gateway: ip("10.0.0.1"))]))
        }
    }
}

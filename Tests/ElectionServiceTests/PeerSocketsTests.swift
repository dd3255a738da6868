import Addressing
import Glibc
import Testing

@testable import ElectionService

@Suite("Sockets between hosts", .serialized, .enabled(if: geteuid() == 0, "raw sockets need root: run the tests as root"))
struct PeerSocketsTests {
    /// Each pair of sockets has an address of its own: a program that another test starts holds a copy of every descriptor until it is executed,
    /// and with it the address of a socket that was closed meanwhile.
    private func address(_ last: UInt8, _ block: UInt8 = 91) -> IPAddress { .v4(IPv4Address(127, 47, block, last)) }

    private func pulses(at sockets: PeerSockets) -> Int {
        var count = 0
        sockets.readPulses { if case .pulse = $0 { count += 1 } }
        return count
    }

    @Test("A host whose agent is gone costs no other host a pulse, and is heard of")
    func refusals() throws {
        let sender = try PeerSockets(local: address(1), identifier: 1)
        let receiver = try PeerSockets(local: address(2), identifier: 2)
        for _ in 0..<10 {
            sender.send([1], to: address(9))
            sender.send([1], to: address(2))
        }
        #expect(pulses(at: receiver) == 10)
        var refused: Set<IPAddress> = []
        sender.readPulses { if case .refusal(let address) = $0 { refused.insert(address) } }
        #expect(refused == [address(9)])
    }

    @Test("What comes from another port of a host is not its agent's")
    func otherPort() throws {
        let sender = try PeerSockets(local: address(1, 94), identifier: 1)
        let receiver = try PeerSockets(local: address(2, 94), identifier: 2)
        let stranger = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(stranger) }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = PeerSockets.port.bigEndian
        target.sin_addr.s_addr = UInt32(0x7F2F_5E02).bigEndian
        let sent = withUnsafePointer(to: &target) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(stranger, [1], 1, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(sent == 1)
        #expect(pulses(at: receiver) == 0)
        sender.send([1], to: address(2, 94))
        #expect(pulses(at: receiver) == 1)
    }

    @Test("Whatever strangers send, and however much, the pulses of peers arrive", arguments: [1, 300, 2000])
    func flood(peers count: Int) throws {
        let block: UInt8 = count == 1 ? 95 : count == 300 ? 96 : 97
        let stranger = try PeerSockets(local: address(4, block), identifier: 4)
        let receiver = try PeerSockets(local: address(2, block), identifier: 2)
        let others = (1..<count).map { IPAddress.v4(IPv4Address(rawValue: 0x7F40_0000 + UInt32($0))) }
        for (place, last) in zip([0, others.count / 2, others.count], UInt8(10)...) {
            let sender = try PeerSockets(local: address(last, block), identifier: 1)
            var peers = others
            peers.insert(address(last, block), at: place)
            try receiver.admit(Set(peers))
            let flood = [UInt8](repeating: 0, count: 1024)
            for _ in 0..<2000 { stranger.send(flood, to: address(2, block)) }
            sender.send([1], to: address(2, block))
            #expect(pulses(at: receiver) == 1)
        }
        try receiver.admit([])
        let sender = try PeerSockets(local: address(20, block), identifier: 1)
        sender.send([1], to: address(2, block))
        #expect(pulses(at: receiver) == 0)
    }

    @Test("Peers whose tunnels are of IPv6 are told from strangers")
    func admitIPv6() throws {
        let local = IPAddress.v6(IPv6Address(rawValue: 1))
        let receiver = try PeerSockets(local: local, identifier: 2)
        try receiver.admit([.v6(IPv6Address(rawValue: 1 << 100 | 2))])
        receiver.send([1], to: local)
        #expect(pulses(at: receiver) == 0)
        try receiver.admit([local])
        receiver.send([1], to: local)
        #expect(pulses(at: receiver) == 1)
    }
}

import Addressing
import CLinux
import Glibc
import KernelInterface
import KernelLinux
import NetworkModel
import ServiceProcesses
import Testing

@testable import ElectionService

/// On devices of their own, in namespaces.
@Suite("Listening on devices", .serialized, .enabled(if: isRoot, "needs root: it makes network namespaces"))
struct SnifferTests {
    private static let id = ResourceID(rawValue: 7)
    private static let peer = IPv4Address(169, 254, 192, 2)

    private static func advertisement(from source: IPv4Address) -> [UInt8] {
        VRRPAdvertisement(
            version: 3, source: source, destination: IPv4Address(169, 254, 192, 1), sourceMAC: MACAddress(rawValue: 0x02_00_00_00_00_01),
            destinationMAC: MACAddress(rawValue: 0x02_00_00_00_00_02), virtualRouterID: 5, priority: 200, intervalMilliseconds: 1000,
            password: nil, addresses: [IPv4Address(169, 254, 0, 5)], isInjected: false
        ).bytes
    }

    /// ARP, of an operation and a sender.
    private static func arp(_ operation: UInt8, from sender: IPv4Address) -> [UInt8] {
        var frame = ARPProbe.request(for: IPv4Address(203, 0, 113, 9), from: MACAddress(rawValue: 0x02_00_00_00_00_03))
        frame[ARPProbe.operationOffset] = operation
        frame.replaceSubrange(ARPProbe.senderOffset..<ARPProbe.senderOffset + 4, with: sender.octets)
        return frame
    }

    private static func addDevice(_ kernel: LinuxKernel, _ host: NamespaceName, _ inside: NamespaceName, bridge: String? = nil) throws {
        try kernel.perform(.addLink(Link(name: "tap1", kind: .veth(peer: "eth0", peerNamespace: inside), bridge: bridge), host))
        try kernel.perform(.changeLink(Link(name: "eth0", kind: .veth(peer: "tap1", peerNamespace: nil)), inside))
    }

    @Test("On a bridge's port both directions are heard, of one kind of frame and one sender only")
    func filters() throws {
        try TestNamespaces.with(2) { kernel, names in
            try kernel.perform(.addLink(Link(name: "brq1", kind: .bridge), names[0]))
            try Self.addDevice(kernel, names[0], names[1], bridge: "brq1")
            let wanted = IPv4Address(203, 0, 113, 1)
            let sniffer = try NamespaceRunner.run(in: names[0]) {
                let index = try #require(try FrameSender().index(of: "tap1"))
                return try Sniffer(
                    linkIndex: index, etherType: ARPProbe.etherType, octetAt: ARPProbe.operationOffset, is: ARPProbe.reply,
                    word: (ARPProbe.senderOffset, wanted.rawValue))
            }
            let outside = try NamespaceRunner.run(in: names[0]) { try FrameSender() }
            let inside = try NamespaceRunner.run(in: names[1]) { try FrameSender() }
            let meant = Self.arp(ARPProbe.reply, from: wanted)
            var otherType = meant
            otherType.replaceSubrange(12..<14, with: [0x08, 0x00])
            let others = [
                Self.arp(1, from: wanted), Self.arp(ARPProbe.reply, from: IPv4Address(203, 0, 113, 2)), otherType,
                Self.advertisement(from: wanted),
            ]
            for frame in others + [meant] {
                #expect(outside.send(frame, on: "tap1"))
                #expect(inside.send(frame, on: "eth0"))
            }
            var heard: [[UInt8]] = []
            let isComplete = TestNamespaces.eventually {
                #expect(sniffer.read { heard.append(Array($0)) })
                return heard.count >= 2
            }
            #expect(isComplete)
            #expect(heard == [meant, meant])
        }
    }

    @Test("What a listener opened is closed after it has gone, by another thread")
    func closing() throws {
        try TestNamespaces.with(2) { kernel, names in
            try Self.addDevice(kernel, names[0], names[1])
            let descriptors = try NamespaceRunner.run(in: names[0]) {
                let index = try #require(try FrameSender().index(of: "tap1"))
                return try (0..<20).map { _ in try Sniffer.ofVRRP(linkIndex: index) }.map(\.descriptor)
            }
            #expect(descriptors.count == 20)
            let isClosed = TestNamespaces.eventually {
                // Others may have got a number again: then it is no packet socket any more.
                descriptors.allSatisfy { descriptor in
                    var domain: Int32 = 0
                    var length = socklen_t(MemoryLayout<Int32>.size)
                    return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_PACKET
                }
            }
            #expect(isClosed)
        }
    }

    @Test("A listener goes on when its device is made anew")
    func renewal() throws {
        try TestNamespaces.with(2) { kernel, names in
            try NamespaceRunner.run(in: names[0]) {
                let frames = try FrameSender()
                let listeners = AdvertisementListeners()
                #expect(listeners.begin(Self.id, on: "tap1", frames, now: 0) == nil, "no device yet")
                #expect(listeners.nextDeadline == AdvertisementListeners.retryMilliseconds)
                #expect(listeners.renew(frames, now: 50).isEmpty)
                var now = 0
                for _ in 0..<3 {
                    try Self.addDevice(kernel, names[0], names[1])
                    now += 100
                    #expect(listeners.renew(frames, now: now).map(\.id) == [Self.id])
                    #expect(listeners.nextDeadline == nil)
                    let inside = try NamespaceRunner.run(in: names[1]) { try FrameSender() }
                    #expect(inside.send(Self.advertisement(from: Self.peer), on: "eth0"))
                    var heard: [IPAddress] = []
                    let isHeard = TestNamespaces.eventually {
                        heard += listeners.read(Self.id, now: now).speakers
                        return !heard.isEmpty
                    }
                    #expect(isHeard && heard == [.v4(Self.peer)])
                    try kernel.perform(.removeLink(name: "tap1", names[0]))
                    var closed: Int32?
                    let isClosed = TestNamespaces.eventually {
                        closed = closed ?? listeners.read(Self.id, now: now).closed
                        return closed != nil
                    }
                    #expect(isClosed)
                }
                #expect(listeners.end(Self.id) == nil)
                now += 100
                try Self.addDevice(kernel, names[0], names[1])
                #expect(listeners.renew(frames, now: now).isEmpty)
            }
        }
    }

    @Test("A lifted descriptor has a number that select cannot wait for")
    func lift() throws {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        // Beside tests with many descriptors it may have such a number already.
        #expect(descriptor >= 0)
        let lifted = clinux_lift(descriptor)
        defer { close(lifted) }
        #expect(lifted >= Int32(FD_SETSIZE))
        #expect(fcntl(lifted, F_GETFD) & FD_CLOEXEC != 0)
        #expect(clinux_lift(-EBADF) == -EBADF)
    }
}

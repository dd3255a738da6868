import Addressing
import CLinux
import KernelInterface
import Testing

@testable import KernelLinux

/// Byte for byte, as `strace -e trace=%network` shows what iproute2 sends. Little endian.
@Suite struct MessageTests {
    @Test("A message has its length, type, flags and sequence number in front")
    func header() {
        let bytes = LinkMessages.removal(index: 5).finished(sequence: 7)
        #expect(bytes == [32, 0, 0, 0, 17, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test("A veth and its other end in another namespace are one message")
    func veth() {
        let link = Link(name: "tap1", kind: .veth(peer: "qr-1", peerNamespace: NamespaceName("n")), mtu: 1450, bridge: "br")
        let bytes = LinkMessages.creation(of: link, LinkCreationContext(bridgeIndex: 3, peerNamespace: 9)).finished(sequence: 1)
        let header: [UInt8] = [124, 0, 0, 0, 16, 0, 0x05, 0x06, 1, 0, 0, 0, 0, 0, 0, 0]
        let link1: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
        let name: [UInt8] = [9, 0, 3, 0] + Array("tap1".utf8) + [0, 0, 0, 0]
        let mtu: [UInt8] = [8, 0, 4, 0, 0xAA, 5, 0, 0]
        let master: [UInt8] = [8, 0, 10, 0, 3, 0, 0, 0]
        let peerName: [UInt8] = [9, 0, 3, 0] + Array("qr-1".utf8) + [0, 0, 0, 0]
        let peer: [UInt8] = Array(repeating: 0, count: 16) + peerName + mtu + [8, 0, 28, 0, 9, 0, 0, 0]
        let peerLength = UInt8(peer.count + 4)
        let kind: [UInt8] = [9, 0, 1, 0] + Array("veth".utf8) + [0, 0, 0, 0]
        let data: [UInt8] = [peerLength + 4, 0, 2, 0x80, peerLength, 0, 1, 0] + peer
        let information: [UInt8] = [UInt8(kind.count + data.count + 4), 0, 18, 0x80] + kind + data
        var expected = header + link1 + name + mtu + master + information
        expected[0] = UInt8(expected.count)
        #expect(bytes == expected)
    }

    @Test("A link with an alias or port flags comes up only with its second message")
    func completion() {
        var link = Link(name: "tap1", kind: .bridge)
        #expect(!LinkMessages.needsCompletion(link))
        link.alias = "neutrino"
        #expect(LinkMessages.needsCompletion(link))
        #expect(LinkMessages.creation(of: link, LinkCreationContext()).bytes[24..<32].allSatisfy { $0 == 0 })
        let second = LinkMessages.completion(of: link, index: 4).bytes
        #expect(second[16..<32] == [0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
        #expect(Array(second[32...]) == [12, 0, 20, 0] + Array("neutrino".utf8))
    }

    @Test("Port flags go to the bridge family, nested and marked so")
    func portFlags() {
        let bytes = LinkMessages.portFlags(index: 4, BridgePortOptions(suppressesNeighbours: true, learns: false)).bytes
        #expect(bytes[4] == 19 && bytes[16] == 7)
        #expect(bytes[32...] == [20, 0, 12, 0x80, 5, 0, 8, 0, 0, 0, 0, 0, 5, 0, 32, 0, 1, 0, 0, 0])
    }

    @Test("A VXLAN device carries its port in network order")
    func vxlan() {
        let link = Link(name: "v", kind: .vxlan(vni: 7, local: .v4(IPv4Address(192, 0, 2, 1)), port: 4789, isLearning: false))
        let bytes = LinkMessages.creation(of: link, LinkCreationContext()).bytes
        let data: [UInt8] = [8, 0, 1, 0, 7, 0, 0, 0, 8, 0, 4, 0, 192, 0, 2, 1, 6, 0, 15, 0, 0x12, 0xB5, 0, 0, 5, 0, 7, 0, 0, 0, 0, 0]
        #expect(bytes.suffix(data.count) == data[...])
    }

    @Test("A VLAN device names its parent and its tag, and is up whatever its parent is")
    func vlan() {
        let link = Link(name: "e.5", kind: .vlan(parent: "e", id: 5))
        let bytes = LinkMessages.creation(of: link, LinkCreationContext(parentIndex: 3)).bytes
        let parent: [UInt8] = [8, 0, 5, 0, 3, 0, 0, 0]
        let kind: [UInt8] = [9, 0, 1, 0] + Array("vlan".utf8) + [0, 0, 0, 0]
        let data: [UInt8] = [24, 0, 2, 0x80, 6, 0, 1, 0, 5, 0, 0, 0, 12, 0, 2, 0, 4, 0, 0, 0, 4, 0, 0, 0]
        #expect(bytes.suffix(parent.count + 4 + kind.count + data.count) == (parent + [40, 0, 18, 0x80] + kind + data)[...])
    }

    @Test("An IPv6 address is used at once, an IPv4 address has its broadcast address")
    func addresses() throws {
        let v6 = AddressMessages.addition(try #require(InterfaceAddress("2001:db8::1/64")), index: 2).bytes
        #expect(v6[16..<24] == [10, 64, 0, 0, 2, 0, 0, 0])
        #expect(v6.suffix(8) == [8, 0, 8, 0, 2, 0, 0, 0])
        let v4 = AddressMessages.addition(try #require(InterfaceAddress("192.0.2.1/24")), index: 2).bytes
        #expect(v4[24...] == [8, 0, 2, 0, 192, 0, 2, 1, 8, 0, 1, 0, 192, 0, 2, 1, 8, 0, 4, 0, 192, 0, 2, 255])
        let host = AddressMessages.addition(try #require(InterfaceAddress("192.0.2.1/32")), index: 2).bytes
        #expect(host.count == 40)
    }

    @Test("A route on the link has link scope, a default route has no destination")
    func routes() throws {
        let onLink = Route(destination: try #require(IPPrefix("203.0.113.0/24")), link: "x")
        #expect(
            RouteMessages.replacement(onLink, index: 3).bytes[16...] == [
                2, 24, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0, 8, 0, 1, 0, 203, 0, 113, 0, 8, 0, 4, 0, 3, 0, 0, 0,
            ])
        let byDefault = Route(destination: try #require(IPPrefix("0.0.0.0/0")), gateway: IPAddress("192.0.2.1"), link: "x")
        #expect(
            RouteMessages.replacement(byDefault, index: 3).bytes[16...] == [
                2, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0, 8, 0, 5, 0, 192, 0, 2, 1, 8, 0, 4, 0, 3, 0, 0, 0,
            ])
    }

    @Test("The flooding list is appended to, any other address has one remote")
    func forwarding() throws {
        let remote = try #require(IPAddress("192.0.2.2"))
        let list = NeighbourMessages.addition(.tunnel(mac: .zero, link: "v", remote: remote), index: 4).bytes
        #expect(list[6..<8] == [0x05, 0x0C])
        #expect(
            list[16...] == [7, 0, 0, 0, 4, 0, 0, 0, 0xC0, 0, 2, 0, 10, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, 0, 192, 0, 2, 2])
        let mac = MACAddress(rawValue: 0xFA16_3E00_0001)
        let one = NeighbourMessages.addition(.tunnel(mac: mac, link: "v", remote: remote), index: 4).bytes
        #expect(one[6..<8] == [0x05, 0x05])
        let port = NeighbourMessages.addition(.bridgePort(mac: mac, link: "v"), index: 4).bytes
        #expect(port[16...] == [7, 0, 0, 0, 4, 0, 0, 0, 0x42, 0, 4, 0, 10, 0, 2, 0, 0xFA, 0x16, 0x3E, 0, 0, 1, 0, 0])
    }
}

@Suite struct ReplyTests {
    @Test("An error says what the kernel said")
    func extendedAcknowledgement() {
        let words = Array("Device is busy".utf8) + [0]
        let attribute: [UInt8] = [UInt8(words.count + 4), 0, 1, 0] + words + [0]
        let body: [UInt8] = [0xF0, 0xFF, 0xFF, 0xFF] + Array(repeating: 9, count: 16) + attribute
        let datagram: [UInt8] = [UInt8(body.count + 16), 0, 0, 0, 2, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0] + body
        let replies = NetlinkReply.split(datagram[...])
        #expect(replies.count == 1)
        #expect(replies.first?.error == NetlinkError(code: 16, sentence: "Device is busy"))
    }

    @Test("An acknowledgement is no error")
    func acknowledgement() {
        let datagram: [UInt8] = [36, 0, 0, 0, 2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + Array(repeating: 9, count: 16)
        #expect(NetlinkReply.split(datagram[...]).map(\.error) == [nil])
    }

    @Test("A datagram that is cut anywhere is read without a trap")
    func truncation() {
        let link = Link(name: "v", kind: .vxlan(vni: 7, local: .v4(IPv4Address(192, 0, 2, 1)), port: 4789, isLearning: true), mtu: 1400)
        var whole = LinkMessages.creation(of: link, LinkCreationContext(bridgeIndex: 3)).finished(sequence: 1)
        for length in 0..<whole.count {
            #expect(NetlinkReply.split(whole.prefix(length)).isEmpty)
            // The same with a header that tells the truth about the shorter length.
            guard length >= 16 else { continue }
            var cut = Array(whole.prefix(length))
            cut[0] = UInt8(length)
            for reply in NetlinkReply.split(cut[...]) { _ = LinkRecord(reply) }
        }
        // A length of nothing ends the reading of attributes.
        whole[32] = 0
        let record = NetlinkReply.split(whole[...]).first.flatMap { LinkRecord($0) }
        #expect(record?.name == "")
    }

    @Test("What is asked for is read back: a request for a link has the form of the kernel's answer")
    func linkRoundTrip() throws {
        let link = Link(
            name: "v", kind: .vxlan(vni: 7, local: try #require(IPAddress("2001:db8::1")), port: 4789, isLearning: true),
            mac: MACAddress(rawValue: 0xFA16_3E00_0001), mtu: 1400, bridge: "br")
        let bytes = LinkMessages.creation(of: link, LinkCreationContext(bridgeIndex: 3)).finished(sequence: 1)
        let record = try #require(NetlinkReply.split(bytes[...]).first.flatMap { LinkRecord($0) })
        #expect(record.masterIndex == 3)
        #expect(record.link(bridge: "br", peer: nil) == link)
    }

    @Test("A bridge that filters VLANs is told to do so no more, and one that never did is told nothing of it")
    func bridgeOptions() throws {
        func bridge(_ append: (inout NetlinkMessage) -> Void) throws -> LinkRecord {
            var message = NetlinkMessage(type: Int(RTM_NEWLINK), flags: 0)
            message.appendLinkHeader(index: 3)
            message.attribute(Int(IFLA_IFNAME), text: "br")
            message.nested(Int(IFLA_LINKINFO)) { message in
                message.attribute(Int(IFLA_INFO_KIND), text: "bridge")
                message.nested(Int(IFLA_INFO_DATA)) { append(&$0) }
            }
            return try #require(NetlinkReply.split(message.finished(sequence: 1)[...]).first.flatMap { LinkRecord($0) })
        }
        let plain = try bridge { message in
            message.attribute(Int(IFLA_BR_AGEING_TIME), UInt32(30_000))
            message.attribute(Int(IFLA_BR_VLAN_FILTERING), UInt8(0))
        }
        let altered = try bridge { message in
            message.attribute(Int(IFLA_BR_AGEING_TIME), UInt32(0))
            message.attribute(Int(IFLA_BR_VLAN_FILTERING), UInt8(1))
            message.attribute(Int(IFLA_BR_NF_CALL_IPTABLES), UInt8(1))
        }
        #expect(plain.link(bridge: nil, peer: nil).alterations == [])
        #expect(altered.link(bridge: nil, peer: nil).alterations == ["ageing_time 0", "nf_call_iptables 1", "vlan_filtering 1"])
        func told(_ record: LinkRecord) -> [UInt8] {
            LinkMessages.adoption(index: 3, ending: record.bridgeAlterations.keys)[0].finished(sequence: 1)
        }
        // Attributes of a number and of two flags, padded to four octets each.
        #expect(told(altered).count == told(plain).count + 3 * 8)
        let read = try #require(NetlinkReply.split(told(altered)[...]).first.flatMap { LinkRecord($0) })
        #expect(read.bridgeAlterations.isEmpty)
    }

    @Test("Addresses that the kernel made by itself are left out")
    func kernelAddresses() throws {
        var message = AddressMessages.addition(try #require(InterfaceAddress("fe80::1/64")), index: 2)
        let byHand = try #require(NetlinkReply.split(message.finished(sequence: 1)[...]).first)
        #expect(AddressMessages.parse(byHand)?.address == InterfaceAddress("fe80::1/64"))
        message.attribute(Int(IFA_PROTO), UInt8(IFAPROT_KERNEL_LL))
        let derived = try #require(NetlinkReply.split(message.finished(sequence: 1)[...]).first)
        #expect(AddressMessages.parse(derived) == nil)
    }
}

@Suite struct FrameTests {
    @Test("Gratuitous ARP has the request form and the reply form of RFC 5227")
    func arp() throws {
        let mac = MACAddress(rawValue: 0xFA16_3E00_0001)
        let frames = AnnouncementFrames.frames(for: try #require(IPAddress("192.0.2.1")), mac: mac, isRouter: true)
        let sender: [UInt8] = [0xFA, 0x16, 0x3E, 0, 0, 1, 192, 0, 2, 1]
        let start: [UInt8] = Array(repeating: 0xFF, count: 6) + [0xFA, 0x16, 0x3E, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0]
        #expect(frames == [start + [1] + sender + [0, 0, 0, 0, 0, 0, 192, 0, 2, 1], start + [2] + sender + sender])
    }

    @Test("An unsolicited neighbour advertisement overrides, and its checksum is right")
    func advertisement() throws {
        let mac = MACAddress(rawValue: 0xFA16_3E00_0001)
        let frames = AnnouncementFrames.frames(for: try #require(IPAddress("2001:db8::1")), mac: mac, isRouter: false)
        let frame = try #require(frames.first)
        #expect(frames.count == 1 && frame.count == 86)
        #expect(frame[..<14] == [0x33, 0x33, 0, 0, 0, 1, 0xFA, 0x16, 0x3E, 0, 0, 1, 0x86, 0xDD])
        #expect(frame[54] == 136 && frame[58] == 0x20)
        // Over the pseudo-header and the message with its checksum, the sum is zero (RFC 1071).
        let pseudoHeader: [UInt8] = Array(frame[22..<54]) + [0, 0, 0, 32, 0, 0, 0, 58]
        #expect(InternetChecksum.of(pseudoHeader + Array(frame[54...])) == 0)
        let router = AnnouncementFrames.frames(for: try #require(IPAddress("2001:db8::1")), mac: mac, isRouter: true)
        #expect(router.first?[58] == 0xA0)
    }
}

@Suite struct LineSplitterTests {
    @Test("Lines come whole, however they were written, and those that are too long are dropped")
    func lines() {
        var splitter = LineSplitter(limitBytes: 8)
        var lines: [String] = []
        for piece in ["one\ntw", "o\n", "\n", "far too long a line\nthree\n", "also far", " too long", " and on\nfour\n", "rest"] {
            splitter.append(Array(piece.utf8))
            while let line = splitter.nextLine() { lines.append(line) }
        }
        #expect(lines == ["one", "two", "", "three", "four"])
    }
}

import Addressing

/// Frames as a hostile instance may write them: nothing is checked, and everything can be forged.
public enum FrameBuilder {
    public enum EtherType {
        public static let ipv4: UInt16 = 0x0800
        public static let arp: UInt16 = 0x0806
        public static let rarp: UInt16 = 0x8035
        public static let vlan: UInt16 = 0x8100
        public static let serviceVLAN: UInt16 = 0x88A8
        /// Outer tags before there was 802.1ad.
        public static let qinq: UInt16 = 0x9100
        public static let ipv6: UInt16 = 0x86DD
    }

    public enum ProtocolNumber {
        public static let ipv6HopByHop: UInt8 = 0
        public static let igmp: UInt8 = 2
        public static let tcp: UInt8 = 6
        public static let udp: UInt8 = 17
        public static let ipv6Fragment: UInt8 = 44
        public static let icmpv6: UInt8 = 58
        public static let ipv6Destination: UInt8 = 60
    }

    // MARK: Ethernet

    public static func ethernet(
        from source: MACAddress, to destination: MACAddress = .broadcast, tags: [(type: UInt16, id: UInt16)] = [], type: UInt16,
        _ payload: [UInt8]
    ) -> [UInt8] {
        var frame = destination.octets + source.octets
        for tag in tags { frame += bytes(tag.type) + bytes(tag.id) }
        frame += bytes(type) + payload
        // A frame has at least 60 octets without its checksum (IEEE 802.3).
        return frame + [UInt8](repeating: 0, count: max(60 - frame.count, 0))
    }

    /// ARP (RFC 826) or RARP (RFC 903). `marker` is what follows the packet in the frame.
    public static func arp(
        operation: UInt16, sender: (mac: MACAddress, address: IPAddress), target: (mac: MACAddress, address: IPAddress), marker: [UInt8]
    ) -> [UInt8] {
        let header: [UInt8] = [0, 1, 8, 0, 6, 4]
        return header + bytes(operation) + sender.mac.octets + sender.address.octets + target.mac.octets + target.address.octets + marker
    }

    // MARK: IP

    public static func udp(_ sourcePort: UInt16, _ destinationPort: UInt16, _ payload: [UInt8]) -> [UInt8] {
        // Without a checksum, which IPv4 allows; see `checksummed` for IPv6.
        bytes(sourcePort) + bytes(destinationPort) + bytes(UInt16(payload.count + 8)) + [0, 0] + payload
    }

    /// - Parameters:
    ///   - fragment: offset in octets (a multiple of 8), whether more follow, and the identification.
    public static func ipv4(
        from source: IPAddress, to destination: IPAddress, _ number: UInt8, _ payload: [UInt8],
        fragment: (offset: Int, hasMore: Bool, id: UInt16)? = nil
    ) -> [UInt8] {
        let flags = fragment.map { UInt16($0.offset / 8) | ($0.hasMore ? 0x2000 : 0) } ?? 0
        var header: [UInt8] = [0x45, 0] + bytes(UInt16(20 + payload.count)) + bytes(fragment?.id ?? 0)
        header += bytes(flags) + [64, number, 0, 0] + source.octets + destination.octets
        let sum = checksum(header)
        (header[10], header[11]) = (UInt8(sum >> 8), UInt8(sum & 0xFF))
        return header + payload
    }

    public static func ipv6(
        from source: IPAddress, to destination: IPAddress, _ number: UInt8, _ payload: [UInt8], hopLimit: UInt8 = 255
    ) -> [UInt8] {
        [0x60, 0, 0, 0] + bytes(UInt16(payload.count)) + [number, hopLimit] + source.octets + destination.octets + payload
    }

    /// Destination options of so many octets (a multiple of 8, at least 8), all of them padding.
    public static func destinationOptions(next: UInt8, length: Int) -> [UInt8] {
        [next, UInt8(length / 8 - 1), 1, UInt8(length - 4)] + [UInt8](repeating: 0, count: length - 4)
    }

    public static func fragmentHeader(next: UInt8, offset: Int, hasMore: Bool, id: UInt32) -> [UInt8] {
        [next, 0] + bytes(UInt16(offset) & 0xFFF8 | (hasMore ? 1 : 0)) + bytes(UInt16(id >> 16)) + bytes(UInt16(id & 0xFFFF))
    }

    /// A UDP datagram or an ICMPv6 message over IPv6, with its checksum.
    public static func checksummed(_ message: [UInt8], from source: IPAddress, to destination: IPAddress, _ number: UInt8) -> [UInt8] {
        let pseudo = source.octets + destination.octets + [0, 0] + bytes(UInt16(message.count)) + [0, 0, 0, number]
        let offset = number == ProtocolNumber.udp ? 6 : 2
        var message = message
        let sum = checksum(pseudo + message)
        (message[offset], message[offset + 1]) = (UInt8(sum >> 8), UInt8(sum & 0xFF))
        return message
    }

    // MARK: ICMPv6 and DHCP

    /// A neighbour solicitation (135) or advertisement (136), with the link-layer address option of its kind, and other options behind it.
    public static func neighbour(type: UInt8, target: IPAddress, mac: MACAddress?, options: [UInt8] = [], marker: [UInt8]) -> [UInt8] {
        let flags: [UInt8] = type == 136 ? [0x60, 0, 0, 0] : [0, 0, 0, 0]
        let option = mac.map { linkLayerAddress(type: type == 136 ? 2 : 1, $0) } ?? []
        return [type, 0, 0, 0] + flags + target.octets + option + options + markerOption(marker)
    }

    /// The option (RFC 4861, section 4.6.1): 1 for the sender's, 2 for the target's.
    public static func linkLayerAddress(type: UInt8, _ mac: MACAddress) -> [UInt8] { [type, 1] + mac.octets }

    /// A router solicitation (RFC 4861, section 4.1).
    public static func routerSolicitation(mac: MACAddress, marker: [UInt8]) -> [UInt8] {
        [133, 0, 0, 0, 0, 0, 0, 0] + linkLayerAddress(type: 1, mac) + markerOption(marker)
    }

    /// A general query for the members of multicast groups: IGMPv2 (RFC 2236). `marker` is what follows.
    public static func igmpQuery(marker: [UInt8]) -> [UInt8] {
        var message: [UInt8] = [0x11, 100, 0, 0, 0, 0, 0, 0] + marker
        let sum = checksum(message)
        (message[2], message[3]) = (UInt8(sum >> 8), UInt8(sum & 0xFF))
        return message
    }

    /// The same over IPv6: MLDv1 (RFC 2710).
    public static func mldQuery(marker: [UInt8]) -> [UInt8] {
        [130, 0, 0, 0, 0x27, 0x10, 0, 0] + [UInt8](repeating: 0, count: 16) + marker
    }

    /// Hop-by-hop options that ask routers to look at the packet (RFC 2711), as every MLD message has them.
    public static func routerAlert(next: UInt8) -> [UInt8] { [next, 0, 5, 2, 0, 0, 1, 0] }

    /// A router advertisement (RFC 4861, section 4.2) for half an hour.
    public static func routerAdvertisement(marker: [UInt8]) -> [UInt8] {
        [134, 0, 0, 0, 64, 0] + bytes(1800) + [UInt8](repeating: 0, count: 8) + markerOption(marker)
    }

    /// A BOOTP message (RFC 951) that is long enough for a server to look at.
    public static func dhcp(operation: UInt8, client: MACAddress, marker: [UInt8]) -> [UInt8] {
        var message: [UInt8] = [operation, 1, 6, 0] + [UInt8](repeating: 0, count: 24) + client.octets + [UInt8](repeating: 0, count: 202)
        message += [0x63, 0x82, 0x53, 0x63, 53, 1, operation == 1 ? 4 : 2, 255]
        return message + marker
    }

    /// Experimental option 253 (RFC 4727), in units of 8 octets.
    private static func markerOption(_ marker: [UInt8]) -> [UInt8] {
        let length = (marker.count + 2 + 7) / 8
        return [253, UInt8(length)] + marker + [UInt8](repeating: 0, count: length * 8 - 2 - marker.count)
    }

    // MARK: Parts

    /// RFC 1071.
    private static func checksum(_ data: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: data.count, by: 2) {
            sum += UInt32(data[index]) << 8 | (index + 1 < data.count ? UInt32(data[index + 1]) : 0)
        }
        while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
        return ~UInt16(sum)
    }

    public static func bytes(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }
}

import Addressing

/// A question to a gateway that says nothing about the asker: an ARP probe (RFC 5227, section 2.1.1).
///
/// It comes from the bridge's own MAC, which no router has, and claims no address: no neighbour's table and no switch's is changed by it
/// where a router's own request, sent by a backup, would draw the master's traffic here.
enum ARPProbe {
    static let etherType: UInt16 = 0x0806
    /// Where a frame says which operation it is: the low octet of the operation, and its value in a reply.
    static let operationOffset = 21
    static let reply: UInt8 = 2
    /// Where a frame says whose MAC it tells.
    static let senderOffset = 28

    static func request(for address: IPv4Address, from mac: MACAddress) -> [UInt8] {
        MACAddress.broadcast.octets + mac.octets + [0x08, 0x06]
            // Ethernet, IPv4, the lengths of their addresses, operation 1 (RFC 826).
            + [0, 1, 8, 0, 6, 4, 0, 1]
            + mac.octets + [0, 0, 0, 0] + MACAddress.zero.octets + address.octets
    }

    /// Who a reply speaks for, and at which MAC it says that to be; nil for anything else.
    static func claim(ofReply frame: some RandomAccessCollection<UInt8>) -> (address: IPv4Address, mac: MACAddress)? {
        let octets = Array(frame.prefix(32))
        guard octets.count == 32, octets[12...19].elementsEqual([0x08, 0x06, 0, 1, 8, 0, 6, 4]), octets[operationOffset] == reply else {
            return nil
        }
        let mac = MACAddress(rawValue: octets[22..<28].reduce(0) { $0 << 8 | UInt64($1) })
        return (IPv4Address(octets[28], octets[29], octets[30], octets[31]), mac)
    }
}

import Addressing
import KernelInterface

/// The question who has an address, in the words of its family.
enum AddressProbe {
    /// False when it could not be asked.
    static func ask(for address: IPAddress, on bridge: String, _ frames: FrameSender) -> Bool {
        guard let mac = frames.mac(of: bridge) else { return false }
        switch address {
        case .v4(let address): return frames.send(ARPProbe.request(for: address, from: mac), on: bridge)
        case .v6(let address): return NeighbourProbe.request(for: address, from: mac).map { frames.send($0, on: bridge) } ?? false
        }
    }

    /// Hears the answers of a family.
    ///
    /// - Parameter address: hears nearly nothing but what is said about it; nil: everything.
    static func listen(_ version: IPVersion, linkIndex: Int32, about address: IPAddress? = nil) throws(KernelError) -> Sniffer {
        let end = address.map { UInt32(truncatingIfNeeded: $0.number) }
        return switch version {
        case .v4:
            try Sniffer(
                linkIndex: linkIndex, etherType: ARPProbe.etherType, octetAt: ARPProbe.operationOffset, is: ARPProbe.reply,
                word: end.map { (ARPProbe.senderOffset, $0) })
        case .v6:
            try Sniffer(
                linkIndex: linkIndex, etherType: NeighbourProbe.etherType, octetAt: NeighbourProbe.typeOffset,
                is: NeighbourProbe.advertisement, word: end.map { (NeighbourProbe.targetEndOffset, $0) })
        }
    }

    /// Who an answer speaks for, and at which MAC it says that to be; nil for anything else.
    static func claim(ofReply frame: some RandomAccessCollection<UInt8>, _ version: IPVersion) -> (address: IPAddress, mac: MACAddress)? {
        switch version {
        case .v4: ARPProbe.claim(ofReply: frame).map { (.v4($0.address), $0.mac) }
        case .v6: NeighbourProbe.claim(ofReply: frame).map { (.v6($0.address), $0.mac) }
        }
    }
}

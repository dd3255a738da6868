import Addressing
import CLinux
import Dispatch
import Glibc
import KernelInterface

/// Sends whole frames on devices of the agent's own namespace, found by their names each time: devices come and go.
///
/// Confined to the election's thread.
final class FrameSender {
    private let descriptor: Int32
    private let control: Int32

    init() throws(KernelError) {
        descriptor = try opened(clinux_frame_socket(), "open a socket for frames")
        let control = clinux_datagram_socket()
        guard control >= 0 else {
            close(descriptor)
            throw kernelError(-control, "open a socket")
        }
        self.control = control
    }

    deinit {
        close(descriptor)
        close(control)
    }

    /// False when there is no such device, or it takes nothing now.
    func send(_ frame: [UInt8], on device: String) -> Bool {
        let index = clinux_link_index(control, device)
        return index > 0 && clinux_frame_send(descriptor, index, frame, frame.count) >= 0
    }

    func index(of device: String) -> Int32? {
        let index = clinux_link_index(control, device)
        return index > 0 ? index : nil
    }

    func mac(of device: String) -> MACAddress? {
        var octets = [UInt8](repeating: 0, count: 6)
        guard clinux_link_mac(control, device, &octets) >= 0 else { return nil }
        return MACAddress(rawValue: octets.reduce(0) { $0 << 8 | UInt64($1) })
    }
}

/// Frames that pass one device and of which one octet has one value, and four octets another when that is asked for: what is not meant wakes
/// nobody.
final class Sniffer {
    static let maximumFrames = 64

    /// To close such a socket takes some 12 ms: the kernel waits until no processor hands it a frame any more (packet(7) sockets leave by
    /// `synchronize_net`). 200 routers' would keep the election's thread from its pulses for seconds.
    private static let closer = DispatchQueue(label: "agent.election.closing")

    /// Stays open for a moment after the sniffer has gone: whoever waits for it ends that.
    let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 512)

    init(
        linkIndex: Int32, etherType: UInt16, octetAt offset: Int, is value: UInt8, word: (offset: Int, value: UInt32)? = nil
    ) throws(KernelError) {
        descriptor = try opened(
            clinux_sniffer_socket(linkIndex, etherType, Int32(offset), value, word.map { Int32($0.offset) } ?? -1, word?.value ?? 0),
            "listen on device \(linkIndex)")
    }

    deinit { Self.closer.async { [descriptor] in _ = close(descriptor) } }

    /// Gives the first 512 octets of each waiting frame. False when the device is gone.
    func read(_ body: (ArraySlice<UInt8>) -> Void) -> Bool {
        for _ in 0..<Self.maximumFrames {
            let count = clinux_sniffer_receive(descriptor, &buffer, buffer.count)
            if count == -EAGAIN { return true }
            if count < 0 { return false }
            body(buffer[0..<Int(count)])
        }
        return true
    }
}

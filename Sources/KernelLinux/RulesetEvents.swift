import CLinux
import Glibc
import KernelInterface

/// Tells that somebody, this process included, changed the ruleset of nftables in the agent's own namespace. What changed is not told: the ruleset's
/// generation says whether it is still ours.
///
/// One task reads. What comes while nobody reads counts as one.
public struct RulesetEvents: AsyncSequence, Sendable {
    public typealias Element = Void
    public typealias Failure = Never

    /// NFNLGRP_NFTABLES as a bit of `nl_groups`.
    static let group = UInt32(1) << (UInt32(NFNLGRP_NFTABLES.rawValue) - 1)
    /// A few messages: that there was one is all that is of interest.
    static let bufferBytes: Int32 = 16 * 1024
    /// Messages that are thrown away at a time.
    private static let messagesPerRead = 1024

    private let descriptor: ReadableDescriptor

    public init() throws(KernelError) {
        let result = clinux_netlink_socket(NETLINK_NETFILTER, Self.group, Self.bufferBytes, 0)
        guard result >= 0 else { throw KernelError(-result, "listen to changes of rulesets") }
        descriptor = ReadableDescriptor(result)
    }

    /// Ends the iteration.
    public func close() { descriptor.close() }

    public func makeAsyncIterator() -> Iterator { Iterator(descriptor: descriptor) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let descriptor: ReadableDescriptor

        /// Nil when the socket is closed or the task was cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> Void? {
            guard await descriptor.waitUntilReadable() else { return nil }
            var area = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytes)
            for _ in 0..<messagesPerRead {
                let result = descriptor.read { Int(clinux_netlink_receive($0, &area, area.count, 0)) } ?? -Int(EAGAIN)
                if result == -Int(EAGAIN) { break }
            }
            return ()
        }
    }
}

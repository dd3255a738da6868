import HostModel

/// The limits of QoS rules as nftables' `limit` statements: what is over a limit matches.
///
/// The kernel's bucket for bytes holds a second's traffic and the burst (`nft_limit_init` in net/netfilter/nft_limit.c), the one for packets
/// the burst alone. A bucket for bytes is therefore never smaller than a second's traffic, and larger bursts are said without that.
enum TokenBucket {
    /// The burst of a rule that names none, as a share of a second's traffic: Neutron's.
    static let defaultBurstPercent = 80
    /// A bucket that never holds the largest packet (64 KiB, with segmentation offload) lets none of its size pass.
    static let minimumBucketBytes = 65_536
    static let minimumBucketPackets = 5
    /// Beyond these the kernel's arithmetic of nanoseconds overflows, or has no digits left. No instance reaches them, so they are not enforced.
    static let maximumBytesPerSecond = 12_500_000_000
    static let maximumPacketsPerSecond = 100_000_000
    /// nftables keeps bursts in 32 bits.
    private static let maximumBurst = Int(UInt32.max)

    /// Nil for a limit that no instance reaches. nft's own "kbytes" are 1024 bytes, so bytes are said.
    static func text(_ limit: HostRouter.RateLimits.Limit) -> String? {
        let rate = max(limit.kilobitsPerSecond * 125, 1)
        guard rate <= maximumBytesPerSecond else { return nil }
        let asked = limit.burstKilobits > 0 ? limit.burstKilobits * 125 : rate * defaultBurstPercent / 100
        let burst = min(max(asked, minimumBucketBytes) - rate, maximumBurst)
        // nft takes 0 for its default of 5.
        return "limit rate over \(rate) bytes/second burst \(max(burst, 1)) bytes"
    }

    /// Nil for a limit that no instance reaches.
    static func text(_ limit: HostQuality.PacketRate) -> String? {
        let rate = max(limit.kilopacketsPerSecond * 1000, 1)
        guard rate <= maximumPacketsPerSecond else { return nil }
        let burst = limit.burstKilopackets > 0 ? limit.burstKilopackets * 1000 : rate * defaultBurstPercent / 100
        return "limit rate over \(rate)/second burst \(min(max(burst, minimumBucketPackets), maximumBurst)) packets"
    }
}

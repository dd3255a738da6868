/// What a QoS policy asks of the traffic of one port. Directions are the instance's: egress leaves it.
public struct HostQuality: Hashable, Sendable, Codable {
    public struct PacketRate: Hashable, Sendable, Codable {
        public var kilopacketsPerSecond: Int
        /// 0 leaves the choice to the host.
        public var burstKilopackets: Int

        public init(kilopacketsPerSecond: Int, burstKilopackets: Int) {
            self.kilopacketsPerSecond = kilopacketsPerSecond
            self.burstKilopackets = burstKilopackets
        }
    }

    /// What of one direction may pass.
    public struct Limits: Hashable, Sendable, Codable {
        public var bandwidth: HostRouter.RateLimits.Limit?
        public var packetRate: PacketRate?

        public init(bandwidth: HostRouter.RateLimits.Limit? = nil, packetRate: PacketRate? = nil) {
            self.bandwidth = bandwidth
            self.packetRate = packetRate
        }
    }

    public var ingress: Limits
    public var egress: Limits
    /// The code point (RFC 2474) that packets leave the instance with; nil: the one that it gave them.
    public var dscpMark: Int?

    public init(ingress: Limits = Limits(), egress: Limits = Limits(), dscpMark: Int? = nil) {
        self.ingress = ingress
        self.egress = egress
        self.dscpMark = dscpMark
    }
}

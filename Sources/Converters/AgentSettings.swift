import Addressing
import KernelInterface

/// What an agent was told about its host. The same for every conversion of one run.
public struct AgentSettings: Hashable, Sendable {
    /// Absolute path below which daemons' files live: `<state>/dhcp/<network>`, `<state>/ha_confs/<router>`.
    public var stateDirectory: String
    /// The address that tunnels start from; nil when the host carries no tunnels.
    public var tunnelAddress: IPAddress?
    /// Physical network → interface, as flat and VLAN networks name it.
    public var physicalNetworks: [String: String]
    /// The UDP port of VXLAN: 4789 (RFC 7348).
    public var vxlanPort: Int
    /// The domain that dnsmasq answers for.
    public var domainName: String
    /// How long a DHCP lease lasts; -1: for ever.
    public var leaseSeconds: Int
    /// Whether DHCP servers write down what they are asked and answer, to find out why an instance got no address.
    public var logsDHCP: Bool
    /// Whether the kernel knows connection state in the bridge family of nftables (NF_CONNTRACK_BRIDGE). Without it, the state
    /// reaches the bridge rules as packet mark, through br_netfilter.
    public var hasBridgeConntrack: Bool
    /// Whether instances can ask this host for metadata.
    public var servesMetadata: Bool
    /// Whether the kernel has 802.1Q sub-interfaces, which VLAN networks need.
    public var hasVLANDevices: Bool
    /// Settings of the host that keep one instance from filling, with fragments or neighbours, what it shares with all others (path below /proc/sys → value), as far
    /// as the kernel has them.
    public var memorySettings: [String: String] = [:]
    /// Helpers of connection tracking that the kernel has; nil when nobody looked, and all count as there.
    public var trackingHelpers: Set<TrackingHelper>?

    public init(
        stateDirectory: String, tunnelAddress: IPAddress? = nil, physicalNetworks: [String: String] = [:], vxlanPort: Int = 4789,
        domainName: String = "openstacklocal", leaseSeconds: Int = 86400, hasBridgeConntrack: Bool = false,
        hasVLANDevices: Bool = true, trackingHelpers: Set<TrackingHelper>? = nil, servesMetadata: Bool = true,
        logsDHCP: Bool = false
    ) {
        precondition(stateDirectory.hasPrefix("/"), "daemons start in other directories, so the state directory must be absolute")
        self.stateDirectory = stateDirectory
        self.tunnelAddress = tunnelAddress
        self.physicalNetworks = physicalNetworks
        self.vxlanPort = vxlanPort
        self.domainName = domainName
        self.leaseSeconds = leaseSeconds
        self.logsDHCP = logsDHCP
        self.hasBridgeConntrack = hasBridgeConntrack
        self.hasVLANDevices = hasVLANDevices
        self.trackingHelpers = trackingHelpers
        self.servesMetadata = servesMetadata
    }
}

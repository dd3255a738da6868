import Addressing

/// What conntrackd does for one member of an HA router, and its rendering as conntrackd.conf(5): it tells the other members of every
/// connection that this one tracks, and puts what it is told into the kernel's table at once, so that a new master knows all
/// connections without anybody's help.
///
///     kernel of the master                                                          kernels of the backups
///     NEW, UPDATE, DESTROY ──► conntrackd ──► UDP over the HA network ──► conntrackd ──► the same entries
///                              keeps a copy of what
///                              this kernel made
///
/// Facts that the choices rest on, each observed with conntrackd 1.4.7:
///
/// - With two members, FTFW over UDP sends again what was lost. It numbers messages for one receiver, so it does not work with more; these
///   share a multicast group in mode NOTRACK, which sends everything once.
/// - `DisableExternalCache` puts entries into the kernel without a commit at failover. A deletion (`conntrack -D`) on one member deletes on
///   the others, and nothing brings the entry back.
/// - `StartupResync` asks the others for what they made. A connection that a master took over from another and that did not change its
///   state since is not among that: see ``ConntrackdDaemon/adoptCommand``.
/// - Without `Scheduler` it runs at the highest real-time priority, above everything else on the host.
/// - Paths have to begin with a slash and may have 107 octets, so they are told by way of the working directory.
public struct ConntrackdConfiguration: Hashable, Sendable {
    public enum Transport: Hashable, Sendable {
        /// To the only other member.
        case peer(IPv4Address)
        /// To all other members. No other router of the network may have the same group and port.
        case group(IPv4Address)
    }

    /// The device of the HA network.
    public var interface: String
    /// Its own address.
    public var source: IPv4Address
    public var transport: Transport
    /// The UDP port of all members.
    public var port: Int

    public init(interface: String, source: IPv4Address, transport: Transport, port: Int = Self.defaultPort) {
        precondition((1...65535).contains(port), "a UDP port has 16 bits and is not 0")
        self.interface = interface
        self.source = source
        self.transport = transport
        self.port = port
    }

    /// What conntrackd's documentation uses.
    public static let defaultPort = 3780
    /// Entries that conntrackd keeps of its own kernel's: twice the most that the kernel tracks (`nf_conntrack_max`, 262144 here).
    static let maximumEntries = 524_288
    /// Messages that were sent and not confirmed yet. The default, 131072, would take 40 MB of an unreachable peer's router.
    static let maximumUnconfirmed = 8192
    /// Octets that the kernel's events may wait in, at the start and at most.
    static let eventBufferOctets = (start: 262_144, maximum: 8_388_608)

    /// The contents of conntrackd.conf. Equal configurations have equal texts.
    public var rendered: String { (sync + general).map { $0 + "\n" }.joined() }

    private var sync: [String] {
        switch transport {
        case .peer(let peer):
            [
                "Sync {",
                "    Mode FTFW {",
                "        ResendQueueSize \(Self.maximumUnconfirmed)",
                "        DisableExternalCache yes",
                "        StartupResync yes",
                "    }",
                "    UDP {",
                "        IPv4_address \(source)",
                "        IPv4_Destination_Address \(peer)",
                "        Port \(port)",
                "        Interface \(interface)",
                "        Checksum yes",
                "    }",
                "}",
            ]
        case .group(let group):
            [
                "Sync {",
                "    Mode NOTRACK {",
                "        DisableExternalCache yes",
                "        StartupResync yes",
                "    }",
                "    Multicast {",
                "        IPv4_address \(group)",
                "        Group \(port)",
                "        IPv4_interface \(source)",
                "        Interface \(interface)",
                "        Checksum yes",
                "    }",
                "}",
            ]
        }
    }

    /// What the members say to each other (VRRP, conntrackd) is not worth telling, nor what stays on the host.
    private var general: [String] {
        [
            "General {",
            "    Systemd no",
            "    HashSize 4096",
            "    HashLimit \(Self.maximumEntries)",
            "    LogFile no",
            "    Syslog no",
            "    LockFile /proc/self/cwd/\(ConntrackdPaths.lockName)",
            "    Scheduler {",
            "        Type RR",
            "        Priority 1",
            "    }",
            "    UNIX {",
            "        Path /proc/self/cwd/\(ConntrackdPaths.controlName)",
            "    }",
            "    NetlinkBufferSize \(Self.eventBufferOctets.start)",
            "    NetlinkBufferSizeMaxGrowth \(Self.eventBufferOctets.maximum)",
            "    Filter From Kernelspace {",
            "        Protocol Accept {",
            "            TCP",
            "            SCTP",
            "            UDP",
            "            ICMP",
            "            IPv6-ICMP",
            "        }",
            "        Address Ignore {",
            "            IPv4_address 127.0.0.0/8",
            "            IPv4_address 169.254.0.0/16",
            "            IPv4_address 224.0.0.0/4",
            "            IPv6_address ::1",
            "        }",
            "    }",
            "}",
        ]
    }
}

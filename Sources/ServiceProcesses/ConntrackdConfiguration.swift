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
/// - With two members, FTFW sends again what was lost. It numbers messages for one receiver, so it does not work with more; these use NOTRACK,
///   which sends everything once.
/// - `DisableExternalCache` puts entries into the kernel without a commit at failover. A deletion (`conntrack -D`) on one member deletes on
///   the others, and nothing brings the entry back.
/// - `StartupResync` asks the others for what they made. A connection that a master took over from another and that did not change its
///   state since is not among that: see ``ConntrackdDaemon/adoptCommand``.
/// - A connection's helper is told with it. What a helper expects (an FTP client's next connection) is told only with `ExpectationSync`, of every
///   helper with `yes`, and then known to the others within milliseconds. It costs a second stream of events: only for routers that have helpers.
/// - Without `Scheduler` it runs at the highest real-time priority, above everything else on the host.
/// - Paths have to begin with a slash and may have 107 octets, so they are told by way of the working directory.
public struct ConntrackdConfiguration: Hashable, Sendable {
    public enum Mode: Hashable, Sendable {
        /// Messages are numbered and confirmed: FTFW, for a group of two.
        case reliable
        /// Each message is sent once: NOTRACK. Somebody else copies it to further members.
        case unconfirmed
    }

    /// The device of the HA network.
    public var interface: String
    /// Its own address.
    public var source: IPv4Address
    /// The member to speak to.
    public var peer: IPv4Address
    public var mode: Mode
    /// Whether connections that helpers expect are told as well.
    public var tellsExpectations: Bool

    public init(interface: String, source: IPv4Address, peer: IPv4Address, mode: Mode, tellsExpectations: Bool = false) {
        self.interface = interface
        self.source = source
        self.peer = peer
        self.mode = mode
        self.tellsExpectations = tellsExpectations
    }

    /// The UDP port of all members: what conntrackd's documentation uses.
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
        ["Sync {"] + modeLines + [
            "        DisableExternalCache yes",
            "        StartupResync yes",
            "    }",
            "    UDP {",
            "        IPv4_address \(source)",
            "        IPv4_Destination_Address \(peer)",
            "        Port \(Self.defaultPort)",
            "        Interface \(interface)",
            "        Checksum yes",
            "    }",
        ] + (tellsExpectations ? ["    Options {", "        ExpectationSync yes", "    }"] : []) + ["}"]
    }

    private var modeLines: [String] {
        switch mode {
        case .reliable: ["    Mode FTFW {", "        ResendQueueSize \(Self.maximumUnconfirmed)"]
        case .unconfirmed: ["    Mode NOTRACK {"]
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

/// A line of keepalived's notify FIFO: `INSTANCE "VR_5" MASTER 200` (keepalived.conf(5), vrrp_notify_fifo).
public struct KeepalivedNotification: Hashable, Sendable {
    public enum State: String, Hashable, Sendable, CaseIterable {
        case master = "MASTER"
        case backup = "BACKUP"
        case fault = "FAULT"
        /// keepalived was told to end; its addresses are gone.
        case stop = "STOP"
        case deleted = "DELETED"
        /// Still master; another, worse one was heard.
        case masterHeardLowerPriority = "MASTER_RX_LOWER_PRI"
        case masterPriority = "MASTER_PRIORITY"
        case backupPriority = "BACKUP_PRIORITY"

        public var isMaster: Bool {
            switch self {
            case .master, .masterHeardLowerPriority, .masterPriority: true
            case .backup, .fault, .stop, .deleted, .backupPriority: false
            }
        }
    }

    /// Such as `VR_5`.
    public var instance: String
    public var state: State
    public var priority: Int

    public init(instance: String, state: State, priority: Int) {
        self.instance = instance
        self.state = state
        self.priority = priority
    }

    /// As keepalived writes it, without the line feed.
    public var line: String { "INSTANCE \"\(instance)\" \(state.rawValue) \(priority)" }

    /// Nil for lines about anything else, such as groups.
    public init?(line: some StringProtocol) {
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\r" || $0 == "\n" })
        guard words.count == 4, words[0] == "INSTANCE", let state = State(rawValue: String(words[2])), let priority = Int(words[3]),
            words[1].utf8.count > 2, words[1].first == "\"", words[1].last == "\""
        else { return nil }
        self.init(instance: String(words[1].dropFirst().dropLast()), state: state, priority: priority)
    }
}

/// Turns what is read from a notify FIFO, cut anywhere, into notifications.
public struct KeepalivedNotificationReader: Hashable, Sendable {
    /// Longer lines are nobody's: they are skipped up to their end.
    public static let maximumLineBytes = 256

    private var line: [UInt8] = []
    private var isSkipping = false

    public init() {}

    public mutating func read(_ bytes: some Sequence<UInt8>) -> [KeepalivedNotification] {
        var notifications: [KeepalivedNotification] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isSkipping, let notification = KeepalivedNotification(line: String(decoding: line, as: UTF8.self)) {
                    notifications.append(notification)
                }
                line = []
                isSkipping = false
            } else if line.count < Self.maximumLineBytes {
                line.append(byte)
            } else {
                isSkipping = true
            }
        }
        return notifications
    }
}

/// What the agent must remember of a member between two notifications.
public struct KeepalivedMember: Hashable, Sendable {
    /// Nil before the first notification.
    public private(set) var state: KeepalivedNotification.State?

    public init() {}

    /// Takes note of a notification. True when keepalived must get a SIGHUP: a member that comes back from FAULT because its VRRP device
    /// was deleted and made anew stays BACKUP for ever, since keepalived 2.2.7 opens no socket on the new device before it reloads. A
    /// reload that was not needed changes nothing.
    public mutating func note(_ notification: KeepalivedNotification) -> Bool {
        defer { state = notification.state }
        return state == .fault && notification.state == .backup
    }
}

import Addressing
import Election
import NetworkModel
import Testing

@testable import ElectionService

@Suite("What waits between the agent and the election")
struct ElectionMailboxTests {
    private static let id = ResourceID(rawValue: 7)

    @Test("However often the agent speaks, the last word about each thing waits, and is taken once")
    func bound() {
        var box = ElectionMailbox()
        for round in 0..<1000 {
            box.post(.member(Self.id, .master))
            box.post(.watch([Self.id: Int32(round)]))
            box.post(.update([]))
            box.post(.member(Self.id, .backup))
            box.post(.done(.mute(Self.id, device: "tap7", milliseconds: 500)))
        }
        let messages = box.take()
        #expect(messages.count == 4)
        guard case .done(.mute(Self.id, _, _))? = messages.last else {
            Issue.record("\(messages)")
            return
        }
        guard case .update(let members)? = messages.first, case .member(Self.id, .backup) = messages[1],
            case .watch([Self.id: 999]) = messages[2]
        else {
            Issue.record("\(messages)")
            return
        }
        #expect(members.isEmpty)
        #expect(box.take().isEmpty)
    }

    @Test("Addresses that shall go may stay when keepalived becomes master anew or the router goes, not when a disobedient master speaks")
    func strips() {
        let ledger = DueLedger()
        #expect(!ledger.isStripDue(Self.id))
        ledger.note(.strip(Self.id))
        ledger.note(.notified(Self.id, line: "INSTANCE \"VR_1\" MASTER_RX_LOWER_PRI 254"))
        ledger.note(.notified(Self.id, line: "INSTANCE \"VR_1\" BACKUP 254"))
        ledger.note(.notified(ResourceID(rawValue: 8), line: "INSTANCE \"VR_1\" MASTER 254"))
        #expect(ledger.isStripDue(Self.id))
        ledger.note(.notified(Self.id, line: "INSTANCE \"VR_1\" MASTER 254"))
        #expect(!ledger.isStripDue(Self.id))
        ledger.note(.strip(Self.id))
        ledger.forget(Self.id)
        #expect(!ledger.isStripDue(Self.id))
    }

    @Test("An announcement is due until keepalived says that the member is master no more, its addresses shall go, or the router goes")
    func announcements() {
        let ledger = DueLedger()
        #expect(!ledger.isAnnouncementDue(Self.id))
        ledger.note(.announce(Self.id))
        ledger.note(.notified(Self.id, line: "INSTANCE \"VR_1\" MASTER 254"))
        ledger.note(.notified(Self.id, line: "INSTANCE \"VR_1\" MASTER_RX_LOWER_PRI 254"))
        ledger.note(.notified(ResourceID(rawValue: 8), line: "INSTANCE \"VR_1\" BACKUP 254"))
        #expect(ledger.isAnnouncementDue(Self.id))
        ledger.note(.notified(Self.id, line: "INSTANCE \"VR_1\" BACKUP 254"))
        #expect(!ledger.isAnnouncementDue(Self.id))
        ledger.note(.announce(Self.id))
        ledger.note(.strip(Self.id))
        #expect(!ledger.isAnnouncementDue(Self.id))
        ledger.note(.announce(Self.id))
        ledger.forget(Self.id)
        #expect(!ledger.isAnnouncementDue(Self.id))
    }
}

"""Values as text for people, spreadsheets and feed readers. No database here."""

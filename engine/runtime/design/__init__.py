"""The designer's room: drafts of procedures, their publication, their versions, and their way in and out of the house."""

"""What is made of the charts' sources: common values, schemas, tables of values, the dashboard, deploy/."""

"""What is asked of a table: order, page, assignments, bind values; and their SQL, in `dataflow.query.render`."""

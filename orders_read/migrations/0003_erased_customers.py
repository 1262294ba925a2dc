"""Folds act on CustomerErased, and positions in timelines are strings, as numbers of JavaScript are too short for them."""

from django.db import migrations

from orders_read.generations import MendReadModel

POSITIONS_ARE_STRINGS = """
UPDATE {table} SET document = jsonb_set(document, '{timeline}', (
       SELECT jsonb_agg(entry || jsonb_build_object('position', entry ->> 'position') ORDER BY number)
         FROM jsonb_array_elements(document -> 'timeline') WITH ORDINALITY AS element (entry, number)))
 WHERE jsonb_typeof(document #> '{timeline,0,position}') = 'number'
"""


class Migration(migrations.Migration):
    dependencies = [("orders_read", "0002_product_names")]
    operations = [
        MendReadModel("order_details", "order_details", POSITIONS_ARE_STRINGS),
        MendReadModel("order_search"),  # until now there was no such event
    ]
